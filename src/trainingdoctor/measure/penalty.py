"""A penalty on the weights that the criterion itself adds, told apart from the loss of the predictions by its gradient."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, device_of, forward, loss_of, mapped
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.schedule import ScheduleTrace


@dataclass(frozen=True)
class Penalty:
    """share: norm of the penalty's gradient over that of the predictions' loss, before training.

    decay: the weight decay that would shrink the weights as fast.  forgets_in_steps: steps in which it shrinks them by e
    at the peak rate; None under adaptive optimizers, which divide it by the gradient's size.
    """

    share: float
    decay: float
    forgets_in_steps: float | None
    steps_per_epoch: int | None


@evidence(cost="probe", optional=("schedule_trace",))
def penalty(
    model: nn.Module,
    criterion: Callable[..., Any],
    train_batches: tuple[Batch, ...],
    parameter_groups: tuple[Group, ...],
    schedule_trace: ScheduleTrace | None,
    *,
    samples: int = 32,
) -> Penalty:
    """Backpropagate the criterion with the outputs detached: what still reaches the weights is a penalty on them."""
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    if not weights:
        raise Unavailable("no weight matrix is trainable")
    batch = train_batches[0].first(samples).to(device_of(model))
    model.train()
    output = forward(model, batch)
    own = _gradient(loss_of(criterion, mapped(output, Tensor.detach), batch), weights)
    if own is None:
        raise Unavailable("the criterion adds no penalty on the weights")
    whole = _gradient(loss_of(criterion, output, batch), weights)
    rest = math.sqrt(sum(float((a - b).pow(2).sum()) for a, b in zip(whole or own, own, strict=True)))
    pull = sum(float((g * w.detach()).sum()) for g, w in zip(own, weights, strict=True))
    decay = pull / max(sum(float(w.detach().pow(2).sum()) for w in weights), 1e-30)
    return Penalty(
        share=_norm(own) / max(rest, 1e-30),
        decay=decay,
        forgets_in_steps=_forgets(decay, parameter_groups, schedule_trace),
        steps_per_epoch=schedule_trace.steps_per_epoch if schedule_trace else None,
    )


def _gradient(loss: Tensor, weights: list[nn.Parameter]) -> list[Tensor] | None:
    if not loss.requires_grad:
        return None
    found = torch.autograd.grad(loss.sum(), weights, allow_unused=True)
    if all(g is None for g in found):
        return None
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True)]


def _norm(gradients: list[Tensor]) -> float:
    return math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))


def _forgets(decay: float, groups: tuple[Group, ...], trace: ScheduleTrace | None) -> float | None:
    leading = groups[trace.group if trace else 0]
    momentum = leading.momentum or 0.0
    per_step = (trace.peak if trace else leading.lr) / max(1 - momentum, 1e-9) * decay
    return 1 / per_step if per_step > 0 and not leading.adaptive else None
