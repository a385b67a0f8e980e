"""Graphs that outlive their batch."""

from __future__ import annotations

import weakref

from torch import Tensor

# A loss or an output of so many batches ago has no business any more.
OLD = 3


class Sentinel:
    """Put into a graph's node; alive as long as the node is."""


class Graphs:
    """Of how many earlier batches a loss, or an output, is still there."""

    def __init__(self) -> None:
        self._sentinels: list[tuple[int, weakref.ref[Sentinel]]] = []

    def forget(self) -> None:
        """Begin anew, with a new pass."""
        self._sentinels.clear()

    def watch(self, tensor: Tensor, count: int) -> int:
        """Watch this tensor's graph from batch `count` on; the number of old ones that are alive."""
        alive = {born for born, ref in self._sentinels if count - born >= OLD and ref() is not None}
        sentinel = Sentinel()
        try:
            tensor.grad_fn.metadata.setdefault("trainingdoctor", sentinel)  # type: ignore[union-attr]
        except (AttributeError, TypeError):
            return len(alive)
        self._sentinels.append((count, weakref.ref(sentinel)))
        return len(alive)
