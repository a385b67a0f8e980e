"""Models that a training loop calls and nobody trains: whether they are in the mode in which they would be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from trainingdoctor.observing.answers import Answers
from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.places import users_place
from trainingdoctor.observing.ranks import unwrapped
from trainingdoctor.observing.seen import AnswersSeen, TeacherSeen

# Numbers that stand for all weights: any training or averaging changes some of them.
PROBED = 4096
# Calls in the training passes, from which on it is no trial.
LEAST = 3


class _Called:
    """One model. active, still: its calls by pass, with layers that act otherwise in training, and without.

    means: running means of its BatchNorm layers at the first call; moved: by how many deviations they had moved at the third.
    """

    def __init__(self, model: nn.Module, where: str) -> None:
        self.model, self.where, self.changed = model, where, False
        self.active: Counter[Pass] = Counter()
        self.still: Counter[Pass] = Counter()
        self.answers: dict[Pass, Answers] = {}
        self.first = _probe(model)
        self.means = [m.running_mean.clone() for m in _tracking(model) if m.running_mean is not None]
        self.moved = 0.0

    def on_forward(self, within: Pass) -> None:
        """It is about to run."""
        self.changed = self.changed or not torch.equal(_probe(self.model), self.first)
        seen = self.active if any(_acts(m) for m in self.model.modules()) else self.still
        seen[within] += 1
        if sum(self.active.values()) == LEAST:
            layers = zip(_tracking(self.model), self.means, strict=False)
            self.moved = max((_moved(m, then) for m, then in layers), default=0.0)

    def seen(self) -> TeacherSeen | None:
        """The record; None unless all its calls in training passes were in train mode."""
        count = sum(n for p, n in self.active.items() if p.kind == "training")
        if count < LEAST or any(p.kind == "training" for p in self.still):
            return None
        layers = list(self.model.modules())
        return TeacherSeen(
            name=type(self.model).__name__,
            calls=count,
            batchnorms=sum(isinstance(m, _BatchNorm) for m in layers),
            dropouts=sum(isinstance(m, _DropoutNd) and m.p > 0 for m in layers),
            moved=self.moved,
            where=self.where,
        )

    def answered(self, width: int | None) -> AnswersSeen | None:
        """Of all its answers in training passes; None where there are none, or of another width."""
        total = Answers()
        for one in (a for p, a in self.answers.items() if p.kind == "training" and a.asked and a.width == width):
            total.right, total.asked = total.right + one.right, total.asked + one.asked
            total.classes.update(one.classes)
        if not total.asked:
            return None
        name = type(self.model).__name__
        return AnswersSeen(name, total.asked, total.right / total.asked, total.chance, self.where)


class Teachers:
    """Every model that is called in a pass, until it turns out to be trained."""

    def __init__(self) -> None:
        self._called: dict[int, _Called] = {}

    def on_forward(self, model: nn.Module, within: Pass) -> None:
        """A model that no optimizer holds is about to run."""
        model = unwrapped(model)
        known = self._called.get(id(model))
        if known is None:
            if not holds_numbers(model):
                return
            known = self._called[id(model)] = _Called(model, users_place(4))
        known.on_forward(within)

    def after_forward(self, model: nn.Module, scores: Tensor, targets: Tensor, within: Pass) -> None:
        """It has run, and gave a number for each class of a batch of these targets."""
        known = self._called.get(id(unwrapped(model)))
        if known is not None:
            known.answers.setdefault(within, Answers()).add(scores, targets)

    def seen(self, held: Collection[int], starts: Iterable[Mapping[str, Tensor]]) -> tuple[TeacherSeen, ...]:
        """Those that nobody trains or averages. starts: of the models that train: what is a copy of one is still to follow it."""
        found = [called.seen() for called in self._beside(held, starts)]
        return tuple(t for t in found if t is not None)

    def answers(
        self, held: Collection[int], starts: Iterable[Mapping[str, Tensor]], width: int | None
    ) -> tuple[AnswersSeen, ...]:
        """What these said in training passes. width: of what the model that trains gives; others have other classes."""
        found = [called.answered(width) for called in self._beside(held, starts)]
        return tuple(a for a in found if a is not None)

    def _beside(self, held: Collection[int], starts: Iterable[Mapping[str, Tensor]]) -> Iterator[_Called]:
        first = [t for state in starts for t in state.values()]
        for called in self._called.values():
            trained = called.changed or any(id(p) in held for p in called.model.parameters())
            if not trained and not any(_is_start(called.first, t) for t in first):
                yield called


def holds_numbers(model: nn.Module) -> bool:
    """Whether there is something to compare: neither on the meta device, nor lazy layers before their first call."""
    tensors = (*model.parameters(), *model.buffers())
    return not any(t.is_meta or is_lazy(t) for t in tensors)


def _acts(module: nn.Module) -> bool:
    return module.training and (isinstance(module, _BatchNorm) or (isinstance(module, _DropoutNd) and module.p > 0))


def is_sensitive(model: nn.Module) -> bool:
    """Whether it has layers that act otherwise in evaluation."""
    return any(isinstance(m, _BatchNorm | _DropoutNd) for m in model.modules())


def _probe(model: nn.Module) -> Tensor:
    largest = max(model.parameters(), key=lambda p: p.numel())
    return largest.detach().flatten()[:PROBED].clone()


def _is_start(probe: Tensor, start: Tensor) -> bool:
    return torch.equal(start.detach().flatten()[:PROBED], probe)


def _tracking(model: nn.Module) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]


def _moved(layer: _BatchNorm, then: Tensor) -> float:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    deviation = layer.running_var.clamp_min(1e-12).sqrt()
    return float(((layer.running_mean - then) / deviation).abs().mean())
