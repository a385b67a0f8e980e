"""The terms that a loss adds up, seen in the graph that backward() is to walk: over what each is summed or averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from trainingdoctor.observing.seen import TermsSeen

SUMS, SCALED = ("AddBackward0", "SubBackward0"), ("MulBackward0", "DivBackward0")
MEAN, SUM = "MeanBackward0", "SumBackward0"
# How torch's losses say that they average.
AVERAGED = 1
# Of nodes behind a sum that are looked at for a layer; a penalty on the weights has none.
DEEP = 60


@dataclass(frozen=True)
class _Term:
    """weight: what it is multiplied by.  shape: of what is summed or averaged."""

    weight: float
    shape: tuple[int, ...]
    averaged: bool
    node: Any


def uneven_terms(loss: Tensor, criterion: float | None, where: str) -> TermsSeen | None:
    """A term that is averaged over the samples, and one of what layers gave that is summed over them; None without.

    criterion: what the averaged one came to.
    """
    terms = list(_terms(loss.grad_fn, 1.0, 0))
    for mean in (t for t in terms if t.averaged and t.shape and t.weight):
        for total in (t for t in terms if not t.averaged and t.shape[:1] == mean.shape[:1]):
            if criterion and mean.shape[0] > 1 and _has_layer(total.node):
                rest = abs(float(loss.detach()) - criterion) / abs(criterion)
                return TermsSeen(mean.shape[0], abs(total.weight / mean.weight), rest, where)
    return None


def share_of_targets(loss: Tensor, targets: Tensor) -> float | None:
    """How much of a loss that adds up losses of class numbers is the one of these; None where it is no such sum."""
    given = [(t.weight, getattr(t.node, "_saved_target", None)) for t in _terms(loss.grad_fn, 1.0, 0)]
    known = [(abs(weight), t) for weight, t in given if isinstance(t, Tensor) and t.shape == targets.shape]
    total = sum(weight for weight, _ in known)
    if len(known) < 2 or not total:
        return None
    return sum(weight for weight, t in known if bool((t == targets.to(t)).all())) / total


def _terms(node: Any, weight: float, depth: int) -> Iterator[_Term]:
    if node is None or depth > DEEP:
        return
    name, inputs = node.name(), [n for n, _ in node.next_functions]
    if name in SUMS:
        second = float(node._saved_alpha) * (-1 if name == SUMS[1] else 1)
        for input_, factor in zip(inputs, (1.0, second), strict=False):
            yield from _terms(input_, weight * factor, depth + 1)
    elif name in SCALED and (number := _number(node)) is not None:
        yield from _terms(inputs[0], weight * (number if name == SCALED[0] else 1 / number), depth + 1)
    elif name in (MEAN, SUM):
        yield _Term(weight, _sizes(node._saved_self_sym_sizes), name == MEAN, node)
    elif isinstance(given := getattr(node, "_saved_self", None), Tensor) and hasattr(node, "_saved_reduction"):
        yield _Term(weight, tuple(given.shape), node._saved_reduction == AVERAGED, node)


def _number(node: Any) -> float | None:
    """What a term is multiplied or divided by; None where that is a tensor, or has a gradient of its own."""
    other = getattr(node, "_saved_other", None)
    alone = isinstance(other, Tensor) and other.numel() == 1 and not other.requires_grad
    return (float(other) or None) if alone and other is not None else None


def _sizes(found: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in found)


def _has_layer(node: Any) -> bool:
    waiting, seen = [node], 0
    while waiting and seen < DEEP:
        here = waiting.pop(0)
        seen += 1
        if "mm" in here.name() or "Convolution" in here.name():
            return True
        waiting += [n for n, _ in here.next_functions if n is not None]
    return False
