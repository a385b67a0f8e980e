"""What an optimizer that is none of torch's does with its weight decay: its name does not tell."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code

# Two weights without a gradient. Beside it decay takes the same share of each; through it, divided by its own size, the same amount.
SMALL, LARGE = 1.0, 10.0
# Enough for the first steps of RAdam, which are SGD's.
STEPS = 50


def seen_decoupled(optimizer: Any, group: Mapping[str, Any]) -> bool | None:
    """Whether weight decay is applied beside the gradient, of an adaptive optimizer; None for torch's, and where it cannot be tried."""
    if type(optimizer).__module__.startswith("torch."):
        return None
    weights = [torch.full((1, 1), v, dtype=torch.float64, requires_grad=True) for v in (SMALL, LARGE)]
    try:
        with user_code("optimizer.step()"):
            taken = _last_step(_twin(optimizer, group, weights), weights)
    except UserCodeError:
        return None
    if not taken[0] > 0:
        return None
    return taken[1] / taken[0] > math.sqrt(SMALL * LARGE)


def _twin(optimizer: Any, group: Mapping[str, Any], weights: list[torch.Tensor]) -> Any:
    """Another one of its class, with the same numbers but for a rate and a decay that show."""
    known = inspect.signature(type(optimizer)).parameters
    options = {k: v for k, v in group.items() if k in known and k != "params"}
    return type(optimizer)(weights, **{**options, "lr": 0.01, "weight_decay": 0.1})


def _last_step(optimizer: Any, weights: list[torch.Tensor]) -> list[float]:
    """What the last of STEPS steps takes off each weight."""
    before = [float(w.detach()) for w in weights]
    for _ in range(STEPS):
        before = [float(w.detach()) for w in weights]
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
    return [b - float(w.detach()) for b, w in zip(before, weights, strict=True)]
