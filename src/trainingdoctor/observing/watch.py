"""One optimizer, watched step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainingdoctor.measure.optimizers import parameter_groups
from trainingdoctor.measure.restore import Snapshot
from trainingdoctor.observing.seen import OptimizerSeen, StepSeen
from trainingdoctor.observing.ticks import rate_of

if TYPE_CHECKING:
    from trainingdoctor.observing.recorder import Recorder

# A few of the smallest tensors stand for all: copying whole nets would slow the loop down.
PROBES = 3


class OptimizerWatch:
    """What is known of an optimizer, from its first step on.

    snapshot: puts it back as it was before that.  probes: a few small parameters that got gradients.  arrived: the last
    backward() brought some.
    """

    def __init__(self, optimizer: Optimizer, where: str, epoch: int, models: Iterable[nn.Module]) -> None:
        self.optimizer, self.where, self.first_epoch = optimizer, where, epoch
        held = self.held
        self.model = next((m for m in models if any(id(p) in held for p in m.parameters())), None)
        self.batches = 0
        self.snapshot = Snapshot(optimizer)
        self.steps: list[StepSeen] = []
        self.probes: list[Tensor] = []
        self.matrices: list[Tensor] = []
        self.values: list[Tensor] = []
        self.start: list[Tensor] = []
        self._begin()

    def _begin(self) -> None:
        self.backwards, self.cleared, self.overwritten = 0, False, 0.0
        self.returned, self.arrived, self.lost = False, False, 0

    @property
    def rate(self) -> float:
        """Learning rate of the first group."""
        return rate_of(self.optimizer)

    @property
    def parameters(self) -> list[Tensor]:
        """All that it holds."""
        return [p for g in self.optimizer.param_groups for p in g["params"]]

    @property
    def held(self) -> frozenset[int]:
        """The parameters' identities."""
        return frozenset(map(id, self.parameters))

    def before_backward(self) -> None:
        """Whether gradients are empty now, before some are added."""
        if self._look():
            self.cleared = True

    def after_backward(self) -> None:
        """Whether it brought gradients."""
        self.backwards += 1
        self._choose()
        self.arrived = bool(self.probes) and not self._is_empty()

    def _look(self) -> bool:
        """Whether gradients are empty now, and with them what the last backward() brought is gone. One look: on a GPU it waits."""
        empty = self._is_empty()
        self.lost += self.arrived and empty
        self.arrived = False
        return empty

    def _is_empty(self) -> bool:
        return bool(self.probes) and all(p.grad is None or not bool(p.grad.any()) for p in self.probes)

    def before_step(self, recorder: Recorder, where: str) -> None:
        """Take down one step."""
        gradients = any(p.grad is not None for p in self.parameters)
        empty = self._look()
        self.steps.append(
            StepSeen(
                optimizer=recorder.optimizers.index(self),
                epoch=max(recorder.epoch, 1),
                backwards=self.backwards,
                cleared=self.cleared if self.probes else None,
                gradients=gradients,
                rate=self.rate,
                loss=recorder.loss_value,
                criterion=recorder.losses.value,
                overwritten=self.overwritten,
                training=self.model is None or self.model.training,
                batches=self._batches(recorder),
                where=where,
                returned=self.returned,
                lost=self.lost,
                empty=empty,
                scaled=recorder.clipping.scaled and not getattr(self.optimizer, "_step_supports_amp_scaling", False),
            )
        )
        self._choose()

    def _choose(self) -> None:
        if self.probes:
            return
        touched = [p for p in self.parameters if p.grad is not None and bool(p.grad.any())]
        smallest = sorted(touched, key=lambda p: p.numel())
        self.probes, self.matrices = smallest[:PROBES], [p for p in smallest if p.ndim > 1][:1]
        self.start = [p.detach().clone() for p in self.matrices]

    def _batches(self, recorder: Recorder) -> int:
        """Batches of loaders since the step before."""
        total = sum(p.batches for p in recorder.passes if p.kind == "training")
        new, self.batches = total - self.batches, total
        return new

    def after_step(self) -> None:
        """Remember the weights, and begin anew."""
        self.values = [p.detach().clone() for p in self.matrices]
        self._begin()

    def compare(self) -> None:
        """Whether the weights are still as the last step left them; looked at once per step."""
        for now, then, start in zip(self.matrices, self.values, self.start, strict=False):
            change = float((now.detach() - then).norm() / then.norm().clamp_min(1e-12))
            self.overwritten = max(self.overwritten, change)
            # What sets all back, as a range test of rates does, sets back what the optimizer remembers, too.
            self.returned = self.returned or bool(change and self.optimizer.state.get(now) and torch.equal(now, start))
        self.values = []

    def seen(self, sets: list[frozenset[int]]) -> OptimizerSeen:
        """The record. sets: the distinct sets of parameters known so far."""
        held = self.held
        if held not in sets:
            sets.append(held)
        group = parameter_groups((self.optimizer,), None)[0]
        return OptimizerSeen(
            name=type(self.optimizer).__name__,
            parameters=sets.index(held),
            stateful=bool(group.momentum) or group.adaptive,
            adaptive=group.adaptive,
            first_epoch=self.first_epoch,
            steps=len(self.steps),
            where=self.where,
        )
