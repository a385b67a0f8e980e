"""How long the training runs."""

from dataclasses import dataclass
from typing import Any

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.schedule import steps_per_epoch as _steps


@dataclass(frozen=True)
class RunLength:
    """epochs, steps_per_epoch and samples of the data set; None where they are not known. drawn: samples that a sampler gives in
    an epoch."""

    epochs: int | None
    steps_per_epoch: int | None
    samples: int | None
    drawn: int | None = None

    @property
    def passes(self) -> float | None:
        """As how many passes through the data set the epochs count: fewer where a sampler gives a part of it each time."""
        if self.epochs is None:
            return None
        share = self.drawn / self.samples if self.drawn and self.samples else 1.0
        return self.epochs * min(share, 1.0)

    @property
    def steps(self) -> int | None:
        """Optimizer steps in the whole run (without gradient accumulation, which a config does not show)."""
        return None if self.epochs is None or self.steps_per_epoch is None else self.epochs * self.steps_per_epoch


@evidence(optional=("epochs", "train_loader"))
def run_length(epochs: int | None, train_loader: Any) -> RunLength:
    """Read it off epochs and the loader's length."""
    samples = length(getattr(train_loader, "dataset", None))
    # A sampler with a list of its own draws from that alone, as from a subset.
    sampler = getattr(train_loader, "sampler", None)
    drawn = None if getattr(sampler, "indices", None) is not None else length(sampler)
    return RunLength(None if epochs is None else int(epochs), _steps(train_loader), samples, drawn)
