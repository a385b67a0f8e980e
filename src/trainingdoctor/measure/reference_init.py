"""The same architecture under its standard initialization: what this net does when it is healthy."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.one_step import Activation, OneStep, measure_step

WEIGHTED = ("Conv1d", "Conv2d", "Conv3d", "Linear")


@dataclass(frozen=True)
class ReferenceInit:
    """A step of the model as it is, and of a copy whose layers were initialized anew by `reset_parameters()`."""

    own: OneStep
    reference: OneStep

    def scale_ratios(self) -> dict[str, float]:
        """Standard deviation of each convolution's and linear layer's output over the reference's.

        Without the last such layer (the head) and those that are silent on either side.
        """
        theirs = {a.name: a for a in self.reference.activations}
        pairs = [(a, theirs[a.name]) for a in self.own.activations if a.kind in WEIGHTED and a.name in theirs]
        return {a.name: a.std / b.std for a, b in pairs[:-1] if _loud(a) and _loud(b)}


def _loud(activation: Activation) -> bool:
    return activation.std > 0


@evidence(cost="probe")
def reference_init(
    model: nn.Module, train_batches: tuple[Batch, ...], criterion: Callable[..., Any], *, samples: int = 16
) -> ReferenceInit:
    """Measure a forward and backward pass of the model and of a freshly initialized copy on the same samples."""
    batch = train_batches[0].first(samples)
    model.train()
    fresh = _reinitialized(model)
    return ReferenceInit(measure_step(model, batch, criterion), measure_step(fresh, batch, criterion))


def _reinitialized(model: nn.Module) -> nn.Module:
    try:
        with user_code("copying the model"):
            fresh = copy.deepcopy(model)
    except UserCodeError as error:
        raise Unavailable(f"the model cannot be copied to compare its initialization: {error}") from error
    with_reset = [m for m in fresh.modules() if callable(getattr(m, "reset_parameters", None))]
    if not with_reset:
        raise Unavailable("no layer of the model has a standard initialization to compare with")
    for module in with_reset:
        with user_code("reset_parameters()"):
            module.reset_parameters()  # type: ignore[operator]
    return fresh
