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

# As many power iterations as a loop makes in its first steps: what is still off then does not follow the weight.
_FORWARDS = 5


@dataclass(frozen=True)
class SpectralLayer:
    """A layer under spectral normalization. norm: largest singular value of the weight that the forward pass uses (1 is
    right), as the model was given.  trained: the same after some forward passes in training mode.

    updates: whether training passes renew the estimate.  given_training: the mode of the layer in the config.
    """

    name: str
    norm: float
    trained: float
    updates: bool
    given_training: bool


@evidence(cost="probe")
def spectral_layers(model: nn.Module, train_batches: tuple[Batch, ...]) -> tuple[SpectralLayer, ...]:
    """Compare each estimate with the true value, before and after some forward passes in training mode."""
    found = list(_estimates(model))
    if not found:
        raise Unavailable("no layer has spectral normalization")
    before = [norm() for _, _, norm, _ in found]
    vectors, given = [u.clone() for _, _, _, u in found], [m.training for _, m, _, _ in found]
    set_mode(model, True)
    with torch.no_grad():
        for _ in range(_FORWARDS):
            forward(model, train_batches[0].first(4))
    return tuple(
        SpectralLayer(name, first, norm(), not torch.equal(u, old), mode)
        for (name, _, norm, u), first, old, mode in zip(found, before, vectors, given, strict=True)
    )


def _estimates(model: nn.Module) -> Iterator[tuple[str, nn.Module, Callable[[], float], Tensor]]:
    """Name, the module whose mode decides, a function for the norm of the weight in use, and the vector u."""
    for name, module in model.named_modules():
        if isinstance(module, _SpectralNorm) and hasattr(module, "_u"):
            weight = model.get_parameter(f"{name.rpartition('.')[0]}.original")
            yield name.partition(".parametrizations.")[0], module, _norm_of(module, weight), module._u
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                yield name or "model", module, _old_norm_of(hook, module), getattr(module, f"{hook.name}_u")


def _norm_of(module: Any, weight: Tensor) -> Callable[[], float]:
    return lambda: _norm(module._reshape_weight_to_matrix(weight), module._u, module._v)


def _old_norm_of(hook: Any, module: Any) -> Callable[[], float]:
    def norm() -> float:
        matrix = hook.reshape_weight_to_matrix(getattr(module, f"{hook.name}_orig"))
        return _norm(matrix, getattr(module, f"{hook.name}_u"), getattr(module, f"{hook.name}_v"))

    return norm


def _norm(matrix: Tensor, u: Tensor, v: Tensor) -> float:
    matrix = matrix.detach().float()
    estimate = abs(float(torch.dot(u.float(), torch.mv(matrix, v.float()))))
    return float(torch.linalg.matrix_norm(matrix, 2)) / max(estimate, 1e-12)
