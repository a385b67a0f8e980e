"""Batches that a loop without loaders cuts out of its data: which part, and whether the data has changed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor

from trainingdoctor.measure.batches import tensors
from trainingdoctor.observing.seen import SlicesSeen

# Steps that are looked at.
MOST = 60


class Slices:
    """The inputs of training steps that are views of larger tensors: whose, from where on, how long, and its version then."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, int, int]] = []
        self.others = False
        self.first: Tensor | None = None

    def add(self, inputs: Any) -> None:
        """The model is about to be called on these in training."""
        first = next(tensors(inputs), None)
        if first is None or len(self.seen) >= MOST:
            return
        base = first._base
        # One that was cut before the loop is all that there is to train on.
        kept, self.first = first is self.first, self.first if self.seen else first
        if kept or not isinstance(base, Tensor) or base.numel() < 2 * first.numel() or base.requires_grad:
            self.others = True
            return
        self.seen.append(
            (base.data_ptr(), int(first.storage_offset()), base.numel() // first.numel(), int(base._version))
        )

    def record(self) -> SlicesSeen | None:
        """What was seen; None where inputs were no such views, or of several tensors."""
        if self.others or len(self.seen) < 2 or len({s[0] for s in self.seen}) > 1:
            return None
        versions = [s[3] for s in self.seen]
        changes = sum(b > a for a, b in pairwise(versions))
        return SlicesSeen(len(self.seen), len({s[1] for s in self.seen}), self.seen[0][2], changes)
