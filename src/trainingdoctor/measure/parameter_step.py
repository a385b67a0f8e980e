"""What one real training step does to each parameter."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ParameterStep:
    """One parameter in the step. gradient: its norm, None when it got none.  update: |change| / |weight|.

    zero_rows: share of its rows (output units) whose gradient is exactly zero.  kind: of the module that owns it.
    constant: all its values are equal.  duplicate_rows: share of rows that equal an earlier row, in weight and
    gradient.  vector: all its dimensions but one are 1 (a scale per channel, a class token).
    """

    name: str
    kind: str
    numel: int
    ndim: int
    trainable: bool
    weight: float
    gradient: float | None
    update: float | None
    zero_rows: float
    constant: bool
    duplicate_rows: float
    vector: bool = False


def parameter_steps(model: nn.Module, before: dict[str, Tensor]) -> Iterator[ParameterStep]:
    kinds = {n: type(m).__name__ for n, m in model.named_modules()}
    for name, parameter in model.named_parameters():
        value, gradient = before.get(name, parameter.detach()), parameter.grad
        norm = _norm(value)
        moved = _norm(parameter.detach() - value) / norm if name in before and norm > 0 else None
        rows = None if gradient is None or parameter.ndim < 2 else gradient.detach().reshape(len(gradient), -1)
        yield ParameterStep(
            name=name,
            kind=kinds.get(name.rpartition(".")[0], ""),
            numel=value.numel(),
            ndim=value.ndim,
            trainable=parameter.requires_grad,
            weight=norm,
            gradient=None if gradient is None else _norm(gradient.detach()),
            update=moved,
            zero_rows=0.0 if rows is None else float((rows == 0).all(1).float().mean()),
            constant=value.numel() > 1 and bool((value == value.flatten()[0]).all()),
            duplicate_rows=0.0 if rows is None else _duplicates(value.reshape(len(value), -1), rows),
            vector=value.numel() > 1 and max(value.shape, default=0) == value.numel(),
        )


def _norm(value: Tensor) -> float:
    """Of half precision, integers and complex numbers, too; 0 of nothing."""
    return float((value.abs() if value.is_complex() else value.float()).norm()) if value.numel() else 0.0


def _duplicates(weights: Tensor, gradients: Tensor) -> float:
    """Share of rows that repeat an earlier row in weight and gradient: units that can never become different."""
    if len(weights) < 2 or (bool((weights[0] != weights[1]).any()) and len(weights) > 4096):
        return 0.0
    # Rows that differ almost surely differ in two random projections; comparing those is fast.
    probe = torch.linspace(1, 2, weights.shape[1], dtype=torch.float64, device=weights.device)
    keys = torch.stack([weights.double() @ probe, gradients.double() @ probe.flip(0)], 1).float()
    return 1 - len(torch.unique(keys, dim=0)) / len(weights)
