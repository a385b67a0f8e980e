"""A penalty on the weights that the criterion or the loop adds, told apart from the loss of the predictions by its gradient."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, device_of, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.prediction import loss_of
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.observing.trace import LoopTrace

NONE = "the criterion adds no penalty on the weights"
# Cosine between a penalty's gradient and the weights: 1 for L2, 0.8 for L1 on normally distributed weights.
PARALLEL = 0.7


@dataclass(frozen=True)
class Penalty:
    """share: norm of the penalty's gradient over that of the predictions' loss, before training; 0 where it was not
    measured.

    decay: the weight decay that would shrink the weights as fast.  forgets_in_steps: steps in which it shrinks them by e
    at the peak rate; None under adaptive optimizers, which divide it by the gradient's size.
    """

    share: float
    decay: float
    forgets_in_steps: float | None
    steps_per_epoch: int | None


@evidence(cost="probe", optional=("schedule_trace", "loop_trace"))
def penalty(
    model: nn.Module,
    criterion: Callable[..., Any],
    train_batches: tuple[Batch, ...],
    parameter_groups: tuple[Group, ...],
    schedule_trace: ScheduleTrace | None,
    loop_trace: LoopTrace | None = None,
    *,
    samples: int = 32,
) -> Penalty:
    """Backpropagate the criterion with the outputs detached: what still reaches the weights is a penalty on them.

    One that a loop was seen to add by itself is taken as it was seen.
    """
    by_epoch = schedule_trace.steps_per_epoch if schedule_trace else None
    if loop_trace is not None and loop_trace.penalty:
        forgets = _forgets(loop_trace.penalty, parameter_groups, schedule_trace)
        return Penalty(share=0.0, decay=loop_trace.penalty, forgets_in_steps=forgets, steps_per_epoch=by_epoch)
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    if not weights or isinstance(criterion, nn.modules.loss._Loss):
        raise Unavailable(NONE)
    batch = train_batches[0].first(samples).to(device_of(model))
    set_mode(model, True)
    output = forward(model, batch)
    if not isinstance(output, Tensor):
        raise Unavailable("the outputs are no tensor that could be cut off from the weights")
    own = _gradient(loss_of(criterion, output.detach(), batch), weights)
    if own is None:
        raise Unavailable(NONE)
    whole = _gradient(loss_of(criterion, output, batch), weights) or own
    pull, size = _pull(own, weights)
    if pull < PARALLEL * _norm(own) * size**0.5:
        raise Unavailable("the criterion uses the weights, but not to make them small")
    decay = pull / max(size, 1e-30)
    return Penalty(
        share=_norm(own) / max(_norm([a - b for a, b in zip(whole, own, strict=True)]), 1e-30),
        decay=decay,
        forgets_in_steps=_forgets(decay, parameter_groups, schedule_trace),
        steps_per_epoch=by_epoch,
    )


def _gradient(loss: Tensor, weights: list[nn.Parameter]) -> list[Tensor] | None:
    if not loss.requires_grad:
        return None
    found = torch.autograd.grad(loss.sum(), weights, allow_unused=True)
    if all(g is None for g in found):
        return None
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True)]


def _pull(gradients: list[Tensor], weights: list[nn.Parameter]) -> tuple[float, float]:
    """The gradients' product with the weights that they reach, and the square of those weights."""
    reached = [(g, w.detach()) for g, w in zip(gradients, weights, strict=True) if bool(g.any())]
    return sum(float((g * w).sum()) for g, w in reached), sum(float(w.pow(2).sum()) for _, w in reached)


def _norm(gradients: list[Tensor]) -> float:
    return math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))


def _forgets(decay: float, groups: tuple[Group, ...], trace: ScheduleTrace | None) -> float | None:
    leading = groups[trace.group if trace else 0]
    momentum = (trace.momentum if trace else leading.momentum) or 0.0
    per_step = (trace.peak if trace else leading.lr) / max(1 - momentum, 1e-9) * decay
    return 1 / per_step if per_step > 0 and not leading.adaptive else None
