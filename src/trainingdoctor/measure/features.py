"""The columns of a table, as they reach the first layer that weighs them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.layers import require_watchable


@dataclass(frozen=True)
class FeatureScales:
    """Root mean squares of the columns that go into `layer`, the first one that ran; means and deviations likewise."""

    layer: str
    size: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@evidence(cost="probe")
def feature_scales(model: nn.Module, train_batches: tuple[Batch, ...]) -> FeatureScales:
    """Catch what reaches the first layer with weights. Unavailable where that is not a linear layer on rows (N, F)."""
    tables = [b for b in train_batches if isinstance(b.inputs, Tensor) and b.inputs.ndim == 2 and b.size > 1]
    if not tables or not tables[0].inputs.is_floating_point():
        raise Unavailable("the inputs are no table of numbers")
    set_mode(model, True)
    name, first = _reaching_first(model, tables[0])
    rows = torch.cat([first, *(_reaching_first(model, b)[1] for b in tables[1:])])
    if not bool(rows.isfinite().all()):
        raise Unavailable("the inputs are not all finite")
    mean, std, size = rows.mean(0), rows.std(0, correction=0), rows.square().mean(0).sqrt()
    return FeatureScales(name, tuple(size.tolist()), tuple(mean.tolist()), tuple(std.tolist()))


def _reaching_first(model: nn.Module, batch: Batch) -> tuple[str, Tensor]:
    """The name of the first layer with weights that runs, and its input."""
    require_watchable(model)
    names = {m: n for n, m in model.named_modules() if next(m.parameters(recurse=False), None) is not None}
    ran: list[tuple[nn.Module, Any]] = []
    hooks = (m.register_forward_pre_hook(lambda module, inputs: ran.append((module, inputs[:1]))) for m in names)
    with attached(hooks), torch.no_grad():
        forward(model, batch)
    module, given = ran[0] if ran else (model, ())
    if not isinstance(module, nn.Linear) or not given or not isinstance(given[0], Tensor) or given[0].ndim != 2:
        raise Unavailable("the first layer is not a linear one on a table of numbers")
    return names[module], given[0].detach().double().cpu()
