"""How far an observed script is let go, and the signal that it has been seen enough."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class Enough(BaseException):
    """Raised in the script's main thread where it has been seen enough. No Exception, so that `except Exception` lets it pass."""


@dataclass(frozen=True)
class Limits:
    """steps: training steps of the first epoch (a fifth of them in later ones).  evaluation: batches of an evaluation.

    seconds: of one pass; the later ones get less.  total: seconds of the whole observation.  epochs: after so many
    passes through the training data without an evaluation the next ones are empty, to get to one that comes at the end.
    """

    steps: int = 50
    evaluation: int = 10
    seconds: float = 10.0
    total: float = 60.0
    epochs: int = 3

    @classmethod
    def of(cls, steps: int, time_limit: float) -> Limits:
        """For so many steps; where more than by default are asked for, they get more time, within a third of the limit."""
        more = max(1.0, steps / cls.steps)
        return cls(steps=steps, seconds=cls.seconds * more, total=min(cls.total * more, time_limit / 3))

    def training_steps(self, epoch: int) -> int:
        """Steps to let go in that epoch, counted from 1."""
        return self.steps if epoch == 1 else max(2, self.steps // 5) if epoch == 2 else 2

    def training_seconds(self, epoch: int) -> float:
        """Seconds for that epoch."""
        return self.seconds if epoch == 1 else self.seconds / 2.5


@dataclass
class Clock:
    """Seconds since it was made or begun anew."""

    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        return time.monotonic() - self.started
