"""What BatchNorm layers do in one training pass: where each is called, and what variances it divides by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.batchnorm import BatchNormLayers
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached


@dataclass(frozen=True)
class BatchNormUse:
    """One layer in one training pass. feeders, followers: the weight layers that ran before and after its calls, each once.

    live: share of its channels that vary at all.  small: share of the live channels whose variance in the batch is
    below eps.  variance: median over the live channels, 0 without any.
    """

    name: str
    calls: int
    feeders: tuple[str, ...]
    followers: tuple[str, ...]
    eps: float
    live: float = 1.0
    small: float = 0.0
    variance: float = 1.0


@dataclass
class _Seen:
    name: str
    module: nn.Module
    variances: Tensor | None = None


@evidence(cost="probe")
def batchnorm_use(
    model: nn.Module, train_batches: tuple[Batch, ...], batchnorm_layers: BatchNormLayers, *, samples: int = 32
) -> tuple[BatchNormUse, ...]:
    """Watch the BatchNorm layers that normalize by the batch through one forward pass in training mode."""
    set_mode(model, True)
    with torch.no_grad(), _following(model) as seen:
        forward(model, train_batches[0].first(samples))
    named = dict.fromkeys(s.name for s in seen if s.variances is not None)
    return tuple(_use(name, seen) for name in named)


@contextmanager
def _following(model: nn.Module) -> Iterator[list[_Seen]]:
    seen: list[_Seen] = []
    with attached(
        module.register_forward_pre_hook(_recorder(name, seen))
        for name, module in model.named_modules()
        if (isinstance(module, _BatchNorm) and module.training)
        or any(p.ndim >= 2 for p in module.parameters(recurse=False))
    ):
        yield seen


def _recorder(name: str, seen: list[_Seen]) -> Callable[[nn.Module, Any], None]:
    def record(module: nn.Module, inputs: Any) -> None:
        value = inputs[0] if isinstance(module, _BatchNorm) and inputs else None
        seen.append(_Seen(name, module, _variances(value) if isinstance(value, Tensor) else None))

    return record


def _variances(value: Tensor) -> Tensor:
    """Per channel, in double precision; a spread that is only rounding of the mean counts as none."""
    channels = value.detach().transpose(0, 1).reshape(value.shape[1], -1).double()
    variance, mean = torch.var_mean(channels, 1, correction=0)
    return torch.where(variance > 1e-12 * mean.square(), variance, 0.0)


def _use(name: str, seen: list[_Seen]) -> BatchNormUse:
    calls = [i for i, s in enumerate(seen) if s.name == name]
    module = seen[calls[0]].module
    variances = torch.cat([v for i in calls if (v := seen[i].variances) is not None])
    live = variances[variances > 0]
    eps = float(getattr(module, "eps", 0.0))
    return BatchNormUse(
        name=name,
        calls=len(calls),
        feeders=_neighbours(seen, calls, -1),
        followers=_neighbours(seen, calls, 1),
        eps=eps,
        live=len(live) / max(len(variances), 1),
        small=float((live < eps).double().mean()) if len(live) else 0.0,
        variance=float(live.median()) if len(live) else 0.0,
    )


def _neighbours(seen: list[_Seen], calls: list[int], step: int) -> tuple[str, ...]:
    """The nearest weight layers before (-1) or after (1) each call, each named once."""
    found: dict[str, None] = {}
    for i in calls:
        rest = seen[i + 1 :] if step > 0 else reversed(seen[:i])
        found[next((s.name for s in rest if s.variances is None), "")] = None
    return tuple(found)
