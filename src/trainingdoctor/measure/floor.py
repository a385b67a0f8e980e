"""What a criterion can come down to on a batch: with outputs that are free, and with one output for all samples."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.measure.batches import Batch, mapped, tensors
from trainingdoctor.measure.prediction import loss_of
from trainingdoctor.measure.steps import backward

# Of LBFGS, which the criteria of classes, pixels and distances need a dozen or two of.
ITERATIONS = 60
# Of outputs, of which LBFGS keeps some twenty copies.
MOST = 1_000_000
# Off 0 and 1, where a probability's logit is infinite.
EDGE = 1e-4
# A loss of this size has no floor, or none that is worth to be searched: LBFGS takes ever longer steps.
ENDLESS = 1e20


@dataclass(frozen=True)
class Floor:
    """free: the least loss that was found with an output of its own for each sample, above 0 where targets are soft.

    constant: with the same output for all samples, which is what a model that does not see its input comes down to.
    """

    free: float
    constant: float

    @property
    def is_high(self) -> bool:
        """Whether most of the loss never goes away."""
        return self.free > self.constant / 2


def floor_of(output: Any, batch: Batch, criterion: Callable[..., Any]) -> Floor | None:
    """Search from a model's output on the batch; None for more than a million outputs, and where the criterion has no gradient for them or no floor."""
    start = mapped(output, lambda t: t.detach().float() if t.is_floating_point() else t)
    if sum(t.numel() for t in tensors(start)) > MOST:
        return None
    free = _least(start, batch, criterion, same=False)
    if free is None or math.isinf(free):
        return None
    constant = _least(start, batch, criterion, same=True)
    if constant is None or math.isinf(constant):
        return None
    return Floor(min(free, constant), constant)


def _least(start: Any, batch: Batch, criterion: Callable[..., Any], same: bool) -> float | None:
    """What lies between 0 and 1 stays there only where the criterion takes no other numbers."""
    found = _descended(start, batch, criterion, same, probabilities=False)
    return _descended(start, batch, criterion, same, probabilities=True) if found is None else found


def _descended(
    start: Any, batch: Batch, criterion: Callable[..., Any], same: bool, probabilities: bool
) -> float | None:
    """The least loss on the way down, minus infinity where there is no end; None where it is no number. same: the outputs of all samples are one."""
    given = [t for t in tensors(start) if t.is_floating_point()]
    variables = [t.mean(0, keepdim=True) if same and t.ndim and len(t) == batch.size else t.clone() for t in given]
    held = [probabilities and bool(((t >= 0) & (t <= 1)).all()) for t in given]
    if probabilities and not any(held):
        return None
    variables = [(v.logit(EDGE) if h else v).requires_grad_() for v, h in zip(variables, held, strict=True)]
    losses: list[float] = []

    def closure() -> float:
        values = ((v.sigmoid() if h else v).expand_as(t) for v, h, t in zip(variables, held, given, strict=True))
        optimizer.zero_grad()
        loss = loss_of(criterion, mapped(start, lambda t: next(values) if t.is_floating_point() else t), batch)
        backward(loss)
        losses.append(float(loss.detach()))
        if not abs(losses[-1]) < ENDLESS:
            raise Unavailable("the loss is not finite, or has no floor")
        return losses[-1]

    try:
        optimizer = torch.optim.LBFGS(variables, max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe")
        optimizer.step(closure)
    except (UserCodeError, Unavailable, ValueError):
        return -math.inf if losses and losses[-1] < -ENDLESS else None
    return min(losses)
