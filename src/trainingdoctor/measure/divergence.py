"""What a Kullback-Leibler divergence is called with, wherever the criterion calls it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, device_of, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import loss_of


@dataclass(frozen=True)
class DivergenceInput:
    """Of kl_div's first argument. probabilities: its rows are distributions over two classes or more.  minimum, maximum: of it."""

    probabilities: bool
    minimum: float
    maximum: float


class _Spy(TorchFunctionMode):
    """Keeps the first argument of each call of kl_div."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = kwargs or {}
        first = args[0] if args else known.get("input")
        if func is functional.kl_div and isinstance(first, Tensor):
            self.given.append(first.detach().float())
        return func(*args, **known)


@evidence(cost="probe")
def divergence_input(
    model: nn.Module, criterion: Callable[..., Any], train_batches: tuple[Batch, ...], *, samples: int = 16
) -> DivergenceInput:
    """Call the criterion on the first training samples; Unavailable where it calls no kl_div."""
    batch = train_batches[0].first(samples).to(device_of(model))
    set_mode(model, True)
    with torch.no_grad(), _Spy() as spy:
        loss_of(criterion, forward(model, batch), batch)
    if not spy.given:
        raise Unavailable("the criterion is no Kullback-Leibler divergence")
    return divergence_of(spy.given[0])


def divergence_of(first: Tensor) -> DivergenceInput:
    """What can be said of kl_div's first argument."""
    return DivergenceInput(_are_rows(first), float(first.min()), float(first.max()))


def _are_rows(values: Tensor) -> bool:
    """Whether these are distributions along the second or the last dimension; a logarithm of one is nowhere above 0."""
    if values.ndim < 2 or not bool((values >= 0).all()):
        return False
    wide = {d for d in (1, values.ndim - 1) if values.shape[d] > 1}
    return any(float((values.sum(d) - 1).abs().max()) < 1e-3 for d in wide)
