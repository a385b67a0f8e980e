"""The same with a loss that counts the padding: `trainingdoctor diagnose examples/plugin/texts_padding_counted.py`."""

from texts_cured import epochs, model, optimizer, scheduler, train_loader, val_loader  # noqa: F401
from torch import nn

criterion = nn.CrossEntropyLoss()
