"""A penalty on the weights that a loop adds to its loss by hand, told by its size: always the same part of their squares."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# Losses that are looked at, and the least of them that tell anything.
MOST, LEAST = 12, 4
# Share of it by which what is added may stray from the squares; the squares themselves must have moved by more.
SAME, MOVED = 1e-3, 3e-3


class Penalties:
    """For each loss: what it has beyond the criterion's value, and the squares of all parameters and of the weights alone."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float]] = []

    @torch.no_grad()
    def add(self, loss: float, criterion: float | None, parameters: Iterable[Tensor]) -> None:
        """backward() is about to run on a loss of which the criterion gave a part."""
        if criterion is None or len(self.seen) >= MOST:
            return
        held = list(parameters)
        squares = [float(p.detach().float().square().sum()) for p in held]
        weights = sum(s for s, p in zip(squares, held, strict=True) if p.ndim > 1)
        self.seen.append((loss - criterion, sum(squares), weights))

    @property
    def decay(self) -> float | None:
        """The weight decay that the penalty amounts to; None where what is added is none, or nothing is."""
        if len(self.seen) < LEAST:
            return None
        for kind in (1, 2):
            sizes = [s[kind] for s in self.seen]
            shares = [s[0] / max(s[kind], 1e-30) for s in self.seen]
            steady = max(shares) - min(shares) <= SAME * min(shares)
            if min(shares) > 0 and steady and max(sizes) > (1 + MOVED) * min(sizes):
                return 2 * sum(shares) / len(shares)
        return None
