"""A loss of one's own that compares each prediction with all targets, seen in the graph that backward() is to walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from trainingdoctor.observing.seen import BroadcastSeen

# Nodes between the loss and the difference that are looked at: a mean, a square, a root, a factor; and all of them.
DEEP, MOST = 12, 100
DIFFERENCE, PARAMETER = "SubBackward0", "AccumulateGrad"


def broadcast_in(loss: Tensor, where: str) -> BroadcastSeen | None:
    """A difference (N, N) of something (N, 1) or (N) that has a gradient and something that has none; None without one.

    Losses of pairs subtract predictions from predictions, and may compare all with all targets besides, as a distance of
    two distributions does.
    """
    found: BroadcastSeen | None = None
    for node in _nodes(loss.grad_fn):
        inputs = [n for n, _ in node.next_functions]
        known = [n for n in inputs if n is not None]
        if node.name() != DIFFERENCE or not known:
            continue
        made, given = _shape(node), _shape(known[0])
        if made is not None and given is not None and _is_crossed(made, given):
            if len(known) == 2:
                return None
            found = found or BroadcastSeen(given, made, where)
    return found


def _nodes(start: Any) -> Iterator[Any]:
    """Nearest first, as far as the layers: what has parameters of its own."""
    level, seen = [start] if start is not None else [], {start}
    for _ in range(DEEP):
        yield from level
        behind = [[n for n, _ in node.next_functions if n is not None] for node in level]
        beyond = [n for nodes in behind if not any(m.name() == PARAMETER for m in nodes) for n in nodes]
        level = [n for n in dict.fromkeys(beyond) if n not in seen]
        seen.update(level)
        if len(seen) > MOST:
            return


def _shape(node: Any) -> tuple[int, ...] | None:
    """Of what the node's operation gave; None where it gave several tensors."""
    known: list[Any] = list(getattr(node, "_input_metadata", ()))
    return tuple(map(int, known[0].shape)) if len(known) == 1 else None


def _is_crossed(made: tuple[int, ...], given: tuple[int, ...]) -> bool:
    samples = made[0] if made else 0
    return samples > 1 and made == (samples, samples) and given in ((samples,), (samples, 1))
