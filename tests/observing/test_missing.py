"""Parts that a script was not seen to have."""

import torch
from torch import nn

from trainingdoctor import Training, Unavailable
from trainingdoctor.errors import Reason
from trainingdoctor.observing.missing import with_reasons


def test_a_script_is_told_what_was_not_seen_and_not_what_to_add() -> None:
    model = nn.Linear(2, 2)
    training = Training(model=model, optimizer=torch.optim.SGD(model.parameters(), 0.1))
    loader = Unavailable("known already")
    known = with_reasons(training, {"train_loader": loader}, "train.py")
    assert set(known) == {"train_loader", "val_loader", "criterion", "scheduler", "epochs"}
    assert known["train_loader"] is loader
    said = known["val_loader"]
    assert (str(said), said.reason) == ("train.py was not seen to evaluate", Reason.MISSING)
    assert str(with_reasons(Training(), {}, "a.ipynb")["model"]).startswith("a.ipynb calls no nn.Module")
