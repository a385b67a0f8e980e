"""An average of the weights that is evaluated in place of the model: how much of what is learned it takes in at each step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.ranks import unwrapped
from trainingdoctor.observing.seen import AverageSeen
from trainingdoctor.observing.teachers import holds_numbers
from trainingdoctor.observing.watch import OptimizerWatch

# Cosine between what the average moved by and the way to the weights, from which on it is an average; and the share of that
# way within which it has not moved.
ALONG, STILL = 0.9, 1e-3
# The same of an average that was moved once towards one state, and by how much more than along the way.
EXACTLY, NOISE = 0.9999, 1e-4


@dataclass(frozen=True)
class _Look:
    """At an evaluation. value: of one matrix as evaluated; last: as trained.  total, steps: sum and number of the trained ones
    since the look before."""

    value: Tensor
    last: Tensor
    total: Tensor
    steps: int


class Averages:
    """Follows one matrix of the model that the first optimizer trains, and its counterpart in what is evaluated."""

    def __init__(self) -> None:
        self.start: Tensor | None = None
        self.last: Tensor | None = None
        self.total: Tensor | None = None
        self.whole: Tensor | None = None
        self.steps = self.all_steps = 0
        self.looks: list[_Look] = []
        self.plain = False
        self.unfed = 0
        self._looked: tuple[Pass | None, set[int]] = (None, set())

    def before_step(self, watch: OptimizerWatch) -> None:
        """Of the first optimizer. The matrix is chosen at its first step."""
        if self.start is None and watch.matrices:
            self.start = _taken(watch.matrices[0])

    def after_step(self, watch: OptimizerWatch) -> None:
        """It has stepped."""
        if self.plain or self.start is None or not watch.matrices:
            return
        self.last = _taken(watch.matrices[0])
        self.total = self.last.clone() if self.total is None else self.total + self.last
        self.whole = self.last.clone() if self.whole is None else self.whole + self.last
        self.steps, self.all_steps = self.steps + 1, self.all_steps + 1

    def on_evaluation(self, model: nn.Module, within: Pass, watches: list[OptimizerWatch]) -> None:
        """A model is called without gradients, in a pass that does not train. Its first call in each pass is looked at."""
        if self.plain:
            return
        if self._looked[0] is not within:
            self._looked = (within, set())
        value = None if not watches or id(model) in self._looked[1] else counterpart(unwrapped(model), watches)
        if value is None or self.last is None:
            return
        self._looked[1].add(id(model))
        self.unfed = max(self.unfed, _unfed(unwrapped(model), watches))
        now = _taken(value)
        if torch.equal(now, self.last):
            self.plain = True
        elif self.total is not None:
            self.looks.append(_Look(now, self.last, self.total, self.steps))
            self.total, self.steps = None, 0

    def seen(self) -> AverageSeen | None:
        """The record; None where the model itself is evaluated, or what is evaluated is no average of it."""
        if self.plain or len(self.looks) < 2 or self.start is None or self.whole is None or self.last is None:
            return None
        before, now = self.looks[-2:]
        way = now.total - now.steps * before.value
        moved = now.value - before.value
        since, whole = now.value - self.start, self.whole - self.all_steps * self.start
        reached = float(since.norm() / (now.last - self.start).norm().clamp_min(1e-30))
        # Updated once behind all these steps, it moves towards the last weights and knows nothing of those on the way.
        at_once = now.last - before.value
        if _cosine(moved, at_once) > max(EXACTLY, _cosine(moved, way) + NOISE):
            return AverageSeen(_along(moved, at_once), reached, per_epoch=True)
        if _cosine(moved, way) > ALONG:
            return AverageSeen(_along(moved, way), reached)
        return AverageSeen(max(_along(since, whole), 0.0), reached) if reached < STILL else None


def _unfed(model: nn.Module, watches: list[OptimizerWatch]) -> int:
    """BatchNorm layers in evaluation mode that never saw a batch, where those of the model that trains did."""
    trained = watches[0].model
    if trained is None or unwrapped(trained) is model:
        return 0
    pairs = zip(_norms(model), _norms(unwrapped(trained)), strict=False)
    return sum(not a.training and _is_new(a) and not _is_new(b) for a, b in pairs)


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm)]


def _is_new(layer: _BatchNorm) -> bool:
    """Whether its statistics are those that it is made with."""
    mean, var = layer.running_mean, layer.running_var
    return mean is not None and var is not None and not bool(mean.any()) and bool((var == 1).all())


def _taken(value: Tensor) -> Tensor:
    """A copy; not every device has double precision."""
    return value.detach().to("cpu", torch.float64, copy=True)


def _along(moved: Tensor, way: Tensor) -> float:
    return float((moved * way).sum() / way.square().sum().clamp_min(1e-300))


def _cosine(moved: Tensor, way: Tensor) -> float:
    return float((moved * way).sum() / (moved.norm() * way.norm()).clamp_min(1e-300))


def counterpart(model: nn.Module, watches: list[OptimizerWatch]) -> Tensor | None:
    """In a model, what stands where the matrix stands in the trained one; None in models that differ, or train themselves."""
    trained, matrices = watches[0].model, watches[0].matrices
    if trained is None or not matrices or not holds_numbers(model):
        return None
    own, other = list(unwrapped(trained).parameters()), list(model.parameters())
    held = frozenset(p for w in watches for p in w.held)
    if [p.shape for p in own] != [p.shape for p in other]:
        return None
    if own[0] is not other[0] and any(id(p) in held for p in other):
        return None
    number = next((i for i, p in enumerate(own) if p is matrices[0]), None)
    return None if number is None else other[number]
