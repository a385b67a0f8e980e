"""Batches as the model and the criterion of a watched loop got them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from trainingdoctor.measure.batches import TARGET_KEYS, Batch, mapped, split_batch, tensors


class Samples:
    """Batches as the model and the criterion got them, up to `most` samples of each kind."""

    def __init__(self, most: int = 512) -> None:
        self.most = most
        self.kept: dict[tuple[str, int], list[Batch]] = {}

    def keep(self, kind: str, model: int, given: tuple[Any, Any], target: Any, whole: bool = False) -> None:
        """Copy one batch; the model is known by its identity. whole: it is one sample, such as a graph."""
        kept = self.kept.setdefault((kind, model), [])
        if sum(b.size for b in kept) >= self.most or len(kept) >= 32:
            return
        args, kwargs = given
        kwargs = _inputs_of(kwargs)
        # A model that takes one tuple must not be given its parts as several arguments.
        single = len(args) == 1 and not isinstance(args[0], list | tuple)
        inputs = kwargs if kwargs and not args else args[0] if single else tuple(args)
        one = whole or _is_one(inputs, target) or (kind == "rearranged" and _is_uneven(inputs))
        kept.append(Batch(_copied(inputs), _copied(target), one))

    def forget(self, kind: str, model: int) -> None:
        """Drop what was kept for another criterion."""
        self.kept.pop((kind, model), None)

    def of(self, kind: str, model: int) -> tuple[Batch, ...]:
        """What was kept."""
        return tuple(self.kept.get((kind, model), ()))


def gives_as_it_is(raw: Any, args: Any, kwargs: Any) -> bool:
    """Whether a model that was called like that got the inputs of this batch of the loader's, and could be given others likewise.

    Not where the loop puts two views into one tensor, flattens images, or makes numbers of text.
    """
    given = [t.shape[1:] for t in tensors([args, _inputs_of(kwargs)])]
    return given == [t.shape[1:] for t in tensors(split_batch(raw).inputs)]


def _inputs_of(kwargs: Any) -> dict[str, Any]:
    """A model that computes its own loss gets the targets, too."""
    return {k: v for k, v in kwargs.items() if k not in TARGET_KEYS}


def _is_one(inputs: Any, target: Any) -> bool:
    """Whether this is one target, and an input that is no batch of one: a loop over samples without a batch dimension.

    Or a row of numbers, and a row of another length as its target.
    """
    first = next(tensors(inputs), None)
    if not isinstance(target, Tensor) or first is None or target.ndim > 1:
        return False
    if first.ndim == target.ndim == 1 and len(first) != len(target) > 1:
        return True
    return target.numel() == 1 and first.ndim > 0 and len(first) > 1


def _is_uneven(inputs: Any) -> bool:
    """Whether these differ in their first dimension, as a token and the state of a recurrent net do: nothing to cut by samples."""
    return len({tuple(t.shape[:1]) for t in tensors(inputs)}) > 1


def _copied(value: Any) -> Any:
    return mapped(value, lambda t: t.detach().clone())
