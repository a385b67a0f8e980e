"""Weights that load_state_dict() brought before the training: whether they are still there when it begins."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from trainingdoctor.observing.seen import LoadedSeen

# Numbers that stand for a weight, and the least that tell whether it is another one.
PROBED, LEAST = 512, 32
# The correlation with what was loaded, below which a weight is another one; random ones of 32 numbers stay below 0.6.
ALIKE = 0.6


class Loaded:
    """The newest that was loaded into each weight, until the first step of an optimizer that holds it."""

    def __init__(self) -> None:
        self.seen: LoadedSeen | None = None
        self._probes: dict[int, tuple[weakref.ref[Tensor], Tensor, str]] = {}

    def on_load(self, module: nn.Module, state: Any, where: str) -> None:
        """load_state_dict() has run."""
        if not isinstance(state, Mapping):
            return
        for name, weight in module.named_parameters():
            if (
                name in state
                and weight.ndim > 1
                and weight.numel() >= LEAST
                and not (weight.is_meta or is_lazy(weight))
            ):
                self._probes[id(weight)] = (weakref.ref(weight), _probe(weight).clone(), where)

    def before_training(self, held: Iterable[Tensor]) -> None:
        """The first step is about to be made. held: by the optimizer."""
        found = [(w, *self._probes.pop(id(w))) for w in held if id(w) in self._probes]
        known = [(w, then, where) for w, ref, then, where in found if ref() is w]
        lost = [where for w, then, where in known if not _is_like(_probe(w), then)]
        if known and self.seen is None:
            self.seen = LoadedSeen(len(known), len(lost), next(iter(lost), ""))


def _probe(weight: Tensor) -> Tensor:
    return weight.detach().flatten()[:PROBED]


@torch.no_grad()
def _is_like(now: Tensor, then: Tensor) -> bool:
    """Whether it is the same, but for a type of less precision, a scale, or some noise. A weight without variation tells nothing."""
    a, b = (t.double().cpu() - t.double().cpu().mean() for t in (now, then))
    if len(a) != len(b) or not bool(b.any()):
        return True
    return bool(a.any()) and float((a @ b) / (a.norm() * b.norm())) >= ALIKE
