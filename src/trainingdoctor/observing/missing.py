"""What a script was not seen to have, in its own terms: a config is told what to add, a script has its loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainingdoctor.errors import Reason, Unavailable
from trainingdoctor.training import Training

NOT_SEEN = {
    "model": "calls no nn.Module with parameters of its own that was seen",
    "train_loader": "draws from no DataLoader that was seen",
    "val_loader": "was not seen to evaluate",
    "criterion": "computes a loss that is no function of the model's output and targets alone, or none was seen",
    "optimizer": "was not seen to step an optimizer of torch",
    "scheduler": "has no scheduler of torch",
    "epochs": "was not seen to loop over epochs",
}


def with_reasons(training: Training, known: Mapping[str, Any], script: str) -> dict[str, Any]:
    """What is known, and for each part that is not there why."""
    missing = {name: said for name, said in NOT_SEEN.items() if getattr(training, name) is None}
    return {**{n: Unavailable(f"{script} {said}", Reason.MISSING) for n, said in missing.items()}, **known}
