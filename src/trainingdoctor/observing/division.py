"""A loss that is divided once more between the criterion and backward()."""

from __future__ import annotations

import math

from trainingdoctor.observing.seen import DivisionSeen

# Numbers that come together by chance are no more than so many.
LEAST = 4


class Division:
    """Compares what the criterion gave with what backward() is called on."""

    def __init__(self) -> None:
        self._by_samples = self._others = 0
        self._samples = 0
        self._where = ""

    def add(self, loss: float, criterion: float | None, samples: int | None, where: str) -> None:
        """backward() is about to run. criterion: what it gave last.  samples: that it was called on."""
        if criterion is None or samples is None or not math.isfinite(loss) or not loss:
            return
        if samples >= LEAST and math.isclose(criterion / loss, samples, rel_tol=1e-3):
            self._by_samples, self._samples, self._where = self._by_samples + 1, max(samples, self._samples), where
        else:
            self._others += 1

    @property
    def seen(self) -> DivisionSeen | None:
        """Where the loss of each batch was divided by its number of samples."""
        if self._by_samples < LEAST or self._others:
            return None
        return DivisionSeen(self._by_samples, self._samples, self._where)
