"""How long the training runs."""

from dataclasses import dataclass
from typing import Any

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.schedule import steps_per_epoch as _steps


@dataclass(frozen=True)
class RunLength:
    """epochs, steps_per_epoch and samples per epoch; None where they are not known."""

    epochs: int | None
    steps_per_epoch: int | None
    samples: int | None

    @property
    def steps(self) -> int | None:
        """Optimizer steps in the whole run (without gradient accumulation, which a config does not show)."""
        return None if self.epochs is None or self.steps_per_epoch is None else self.epochs * self.steps_per_epoch


@evidence(optional=("epochs", "train_loader"))
def run_length(epochs: int | None, train_loader: Any) -> RunLength:
    """Read it off epochs and the loader's length."""
    samples = length(getattr(train_loader, "dataset", None))
    return RunLength(None if epochs is None else int(epochs), _steps(train_loader), samples)
