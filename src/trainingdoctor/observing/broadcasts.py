"""A loss of one's own that compares each prediction with all targets, seen in the graph that backward() is to walk."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from trainingdoctor.observing.seen import BroadcastSeen

# Nodes between the loss and the difference that are looked at: a mean, a square, a root, a factor.
DEEP = 12
DIFFERENCE = "SubBackward0"


def broadcast_in(loss: Tensor, where: str) -> BroadcastSeen | None:
    """A difference (N, N) of something (N, 1) or (N) that has a gradient and something that has none; None without one.

    Losses of pairs subtract predictions from predictions: both have gradients.
    """
    node: Any = loss.grad_fn
    for _ in range(DEEP):
        if node is None:
            return None
        inputs = [n for n, _ in node.next_functions]
        known = [n for n in inputs if n is not None]
        if node.name() == DIFFERENCE and len(inputs) == 2 and len(known) == 1:
            made, given = _shape(node), _shape(known[0])
            if made is not None and given is not None and _is_crossed(made, given):
                return BroadcastSeen(given, made, where)
        node = known[0] if len(known) == 1 else None
    return None


def _shape(node: Any) -> tuple[int, ...] | None:
    """Of what the node's operation gave; None where it gave several tensors."""
    known: list[Any] = list(getattr(node, "_input_metadata", ()))
    return tuple(map(int, known[0].shape)) if len(known) == 1 else None


def _is_crossed(made: tuple[int, ...], given: tuple[int, ...]) -> bool:
    samples = made[0] if made else 0
    return samples > 1 and made == (samples, samples) and given in ((samples,), (samples, 1))
