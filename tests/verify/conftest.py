"""A training that takes a tenth of a second, as files."""

from pathlib import Path

import pytest

CONFIG = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

def data(seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (600,), generator=draw)
    return TensorDataset(torch.randn(600, 8, generator=draw) + 1.5 * nn.functional.one_hot(labels, 8), labels)

train_loader = DataLoader(data(0), batch_size=32, shuffle=True)
val_loader = DataLoader(data(1), batch_size=100)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
epochs = 20
"""


@pytest.fixture(name="config")
def config_(tmp_path: Path) -> Path:
    file = tmp_path / "verified_config.py"
    file.write_text(CONFIG)
    return file


@pytest.fixture(name="slow")
def slow_(config: Path) -> str:
    """The same with a rate that learns nothing."""
    return CONFIG.replace("lr=0.1", "lr=1e-6")
