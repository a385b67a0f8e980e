"""Parameters that a model computes with and does not know of."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.graph import nodes_under
from trainingdoctor.measure.prediction import prediction


@dataclass(frozen=True)
class Unregistered:
    """Leaves of the prediction's graph that are in no module of the model. numbers: in all of them.  shapes: of the first few.

    trained: how many of them an optimizer holds.  of: numbers of all leaves.  anew: how many are others in the next forward pass.
    """

    tensors: int
    numbers: int
    of: int
    trained: int
    shapes: tuple[tuple[int, ...], ...]
    anew: int = 0


@evidence(cost="probe", optional=("optimizers",))
def unregistered(
    model: nn.Module, train_batches: tuple[Batch, ...], optimizers: tuple[Any, ...] | None
) -> Unregistered:
    """Follow the graph of a prediction in train mode down to its leaves."""
    set_mode(model, True)
    # A cut of what requires gradients would be another leaf than what it was cut from.
    batch = train_batches[0].first(4).detached()
    leaves = _leaves(model, batch)
    known = {id(p) for p in model.parameters()}
    held = {id(p) for o in optimizers or () for group in o.param_groups for p in group["params"]}
    hidden = [leaf for identity, leaf in leaves.items() if identity not in known]
    again = _leaves(model, batch) if hidden else leaves
    return Unregistered(
        tensors=len(hidden),
        numbers=sum(t.numel() for t in hidden),
        of=sum(t.numel() for t in leaves.values()),
        trained=sum(id(t) in held for t in hidden),
        shapes=tuple(tuple(t.shape) for t in hidden[:3]),
        anew=sum(id(t) not in again for t in hidden),
    )


def _leaves(model: nn.Module, batch: Batch) -> dict[int, Tensor]:
    """Of the graph of its prediction, by identity."""
    with torch.enable_grad():
        output = prediction(forward(model, batch))
    if output.grad_fn is None:
        raise Unavailable("no parameter is in the prediction's graph")
    return {id(n.variable): n.variable for n in nodes_under(output.grad_fn) if hasattr(n, "variable")}
