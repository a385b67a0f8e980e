"""Spectral normalization: the estimate of the largest singular value against the true one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.observing.trace import LoopTrace

# As many power iterations as a loop makes in its first steps: what is still off then does not follow the weight.
_FORWARDS = 5


@dataclass(frozen=True)
class SpectralLayer:
    """A layer under spectral normalization. norm: largest singular value of the weight that the forward pass uses (1 is
    right), as the model was given.  trained: the same after some forward passes in training mode.

    updates: whether training passes renew the estimate.  given_training: the mode of the layer in the config.  evaluated: the
    norm in an evaluation that the loop made before any training, None where it made none.  evaluated_at: its file:line.
    """

    name: str
    norm: float
    trained: float
    updates: bool
    given_training: bool
    evaluated: float | None = None
    evaluated_at: str = ""


@evidence(cost="probe", optional=("loop_trace",))
def spectral_layers(
    model: nn.Module, train_batches: tuple[Batch, ...], loop_trace: LoopTrace | None = None
) -> tuple[SpectralLayer, ...]:
    """Compare each estimate with the true value, before and after some forward passes in training mode."""
    found = list(estimates(model))
    if not found:
        raise Unavailable("no layer has spectral normalization")
    before = [e.norm() for e in found]
    vectors, given = [e.vector.clone() for e in found], [e.module.training for e in found]
    first = {s.name: s for s in loop_trace.spectral} if loop_trace is not None else {}
    set_mode(model, True)
    with torch.no_grad():
        for _ in range(_FORWARDS):
            forward(model, train_batches[0].first(4))
    return tuple(
        SpectralLayer(
            e.name,
            norm,
            e.norm(),
            updates=not torch.equal(e.vector, old),
            given_training=mode,
            evaluated=first[e.name].norm if e.name in first else None,
            evaluated_at=first[e.name].where if e.name in first else "",
        )
        for e, norm, old, mode in zip(found, before, vectors, given, strict=True)
    )


@dataclass(frozen=True)
class Estimate:
    """What spectral normalization takes for the largest singular value. module: the one whose mode decides whether it is
    renewed.  norm: computes the norm of the weight in use.  vector: u."""

    name: str
    module: nn.Module
    norm: Callable[[], float]
    vector: Tensor


def estimates(model: nn.Module) -> Iterator[Estimate]:
    """Those of all layers of a model, in both of torch's implementations."""
    for name, module in model.named_modules():
        if isinstance(module, _SpectralNorm) and hasattr(module, "_u"):
            weight = model.get_parameter(f"{name.rpartition('.')[0]}.original")
            yield Estimate(name.partition(".parametrizations.")[0], module, _norm_of(module, weight), module._u)
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                vector = getattr(module, f"{hook.name}_u")
                yield Estimate(name or "model", module, _old_norm_of(hook, module), vector)


def _norm_of(module: Any, weight: Tensor) -> Callable[[], float]:
    return lambda: _norm(module._reshape_weight_to_matrix(weight), module._u, module._v)


def _old_norm_of(hook: Any, module: Any) -> Callable[[], float]:
    def norm() -> float:
        matrix = hook.reshape_weight_to_matrix(getattr(module, f"{hook.name}_orig"))
        return _norm(matrix, getattr(module, f"{hook.name}_u"), getattr(module, f"{hook.name}_v"))

    return norm


@torch.no_grad()
def _norm(matrix: Tensor, u: Tensor, v: Tensor) -> float:
    matrix = matrix.detach().float()
    estimate = abs(float(torch.dot(u.float(), torch.mv(matrix, v.float()))))
    narrow = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    # Of the smaller Gram matrix: of a wide layer's weight itself it takes seconds.
    largest = float(torch.linalg.eigvalsh(narrow @ narrow.T)[-1].clamp_min(0).sqrt())
    return largest / max(estimate, 1e-12)
