"""The first loss of a watched loop that is no number, and what was finite still when it came."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.measure.batches import tensors
from trainingdoctor.observing.seen import NonfiniteSeen

# A scaled loss of half precision overflows until the GradScaler has found its scale.
EXACT = (torch.float32, torch.float64)


class Nonfinite:
    """Looks at each loss until one is NaN or infinite."""

    def __init__(self) -> None:
        self.seen: NonfiniteSeen | None = None
        self._before: float | None = None
        self._count = 0

    def add(self, loss: Tensor, value: float, parameters: Iterable[Tensor], output: Any, where: str) -> None:
        """backward() is about to run on a loss of that value. output: of the newest model call.  parameters: of the model."""
        if self.seen is not None or loss.dtype not in EXACT:
            return
        self._count += 1
        if math.isfinite(value):
            self._before = value
        else:
            weights, given = _is_finite(parameters), _is_finite(tensors(output))
            self.seen = NonfiniteSeen(self._count, value, self._before, weights, given, where)


@torch.no_grad()
def _is_finite(found: Iterable[Tensor]) -> bool:
    return all(bool(t.isfinite().all()) for t in found if t.is_floating_point() and t.layout is torch.strided)
