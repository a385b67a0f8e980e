"""Layers that normalize one value by itself: what they give does not depend on what they get."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.prediction import predicted


@dataclass(frozen=True)
class SingleValues:
    """normalizations: GroupNorm and LayerNorm layers that ran.  names: those of them with one value to normalize, each time."""

    normalizations: int
    names: tuple[str, ...]


@evidence(cost="probe")
def single_values(model: nn.Module, train_batches: tuple[Batch, ...], *, samples: int = 4) -> SingleValues:
    """Count the values that go into one mean and variance, in a forward pass in evaluation mode."""
    values: dict[str, int] = {}

    def watch(name: str, layer: nn.Module) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            if args and isinstance(args[0], Tensor):
                values[name] = max(values.get(name, 0), _together(layer, args[0]))

        return layer.register_forward_pre_hook(hook)

    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.GroupNorm | nn.LayerNorm)}
    set_mode(model, False)
    with attached(watch(name, layer) for name, layer in layers.items()):
        predicted(model, train_batches[0].first(samples))
    return SingleValues(len(values), tuple(name for name, count in values.items() if count == 1))


def _together(layer: nn.Module, given: Tensor) -> int:
    if isinstance(layer, nn.GroupNorm):
        return given[0].numel() // layer.num_groups
    return math.prod(layer.normalized_shape) if isinstance(layer, nn.LayerNorm) else 0
