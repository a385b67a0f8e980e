"""Where weights come from: what in each layer still is as an initialization leaves it, and what training has moved."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.hooks import attached

# Fewer rows or numbers say nothing about a distribution.
_ROWS, _NUMBERS = 8, 256
# Where training shows: 22 fresh nets (torchvision's, ViT, MLPs, language models) have spreads of at most 2.2 and 4.6
# standard errors, and no tails; layers of two pretrained nets (CREPE, a speaker encoder) 10 to 2,700, and tails of 0.3
# and more, at hundreds of standard errors.
_SPREAD, _TAILS, _SURE, _DOUBT = 1.5, 0.3, 10.0, 5.0


@dataclass(frozen=True)
class Origin:
    """A convolution or linear layer, with the normalization that runs after it.

    spread: variance of the squared norms of its rows, or of its columns if that is larger, over what independent normal
    numbers give (1; less for uniform ones).  tails: excess kurtosis of the weights.  spread_z, tails_z: the same in
    standard errors.  untouched: something that any training step would move is exactly as initialized: the bias, the
    normalization's scale and shift, or the edge of the uniform distribution.  norm_moved: whether the normalization's
    scale or shift differs between channels; None without normalization.  None of spread and tails where the layer is
    too small to tell.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool
    spread: float | None
    spread_z: float
    tails: float
    tails_z: float
    untouched: bool
    norm_moved: bool | None = None

    @property
    def weights_moved(self) -> bool:
        """Whether the distribution of the weights is one that no initialization gives."""
        spread = self.spread is not None and self.spread > _SPREAD and self.spread_z > _SURE
        return spread or (self.tails > _TAILS and self.tails_z > _SURE)

    @property
    def is_trained(self) -> bool:
        """Whether the weights, or the scale and shift of the normalization after them, have been trained."""
        return self.weights_moved or bool(self.norm_moved)

    @property
    def is_fresh(self) -> bool:
        """Whether everything looks as initialized, something exactly so. Small layers are neither trained nor fresh."""
        usual = self.spread is not None and self.spread_z < _DOUBT and self.tails_z < _DOUBT
        return usual and self.untouched and not self.norm_moved


@evidence(cost="probe")
def origins(model: nn.Module, train_batches: tuple[Batch, ...]) -> tuple[Origin, ...]:
    """Convolutions and linear layers in the order they run, with the marks that initialization or training left."""
    set_mode(model, False)
    with torch.no_grad(), _order(model) as ran:
        forward(model, train_batches[0].first(2))
    found: list[Origin] = []
    for name, module in ran:
        if isinstance(module, _ConvNd | nn.Linear):
            if name not in [o.name for o in found]:
                found.append(_origin(name, module))
        elif found and found[-1].norm_moved is None:
            found[-1] = _with_norm(found[-1], module)
    if not found:
        raise Unavailable("the model has no convolution or linear layer")
    return tuple(found)


@contextmanager
def _order(model: nn.Module) -> Iterator[list[tuple[str, nn.Module]]]:
    ran: list[tuple[str, nn.Module]] = []
    with attached(
        module.register_forward_pre_hook(lambda m, _inputs, name=name: ran.append((name, m)))
        for name, module in model.named_modules()
        if isinstance(module, _ConvNd | nn.Linear | _BatchNorm | nn.LayerNorm | nn.GroupNorm)
    ):
        yield ran


def _origin(name: str, module: Any) -> Origin:
    weight, bias = module.weight.detach().float(), module.bias
    rows, columns = weight.flatten(1), weight.transpose(0, 1).flatten(1)
    measured = [s for s in (_spread(rows), _spread(columns)) if s is not None and weight.numel() >= _NUMBERS]
    spread, spread_z = max(measured, key=lambda s: s[1], default=(None, 0.0))
    outer = 0.0 if spread is None else tails(weight)
    return Origin(
        name=name,
        shape=tuple(weight.shape),
        trainable=bool(module.weight.requires_grad),
        spread=spread,
        spread_z=spread_z,
        tails=outer,
        tails_z=outer / math.sqrt(24 / weight.numel()),
        untouched=(bias is not None and _constant(bias)) or _has_edge(weight),
    )


def _with_norm(origin: Origin, norm: Any) -> Origin:
    if norm.weight is None:
        return origin
    moved = not (_constant(norm.weight) and (norm.bias is None or _constant(norm.bias)))
    return replace(origin, norm_moved=moved, untouched=not moved or (origin.untouched and not moved))


def _constant(values: Tensor) -> bool:
    return values.numel() > 1 and bool((values == values.flatten()[0]).all())


def _spread(rows: Tensor) -> tuple[float, float] | None:
    """Relative variance of the squared norms over its expectation for normal numbers, 2 / n; and its z."""
    count, width = rows.shape
    squares = rows.square().sum(1)
    copies = count > 1 and torch.equal(rows[0], rows[1])
    if count < _ROWS or copies or not float(squares.mean()):
        return None
    ratio = float(squares.var() / squares.mean() ** 2) * width / 2
    return ratio, (ratio - 1) / math.sqrt(2 / count)


def tails(weight: Tensor) -> float:
    """Kurtosis above that of a normal distribution; 0 where all numbers are the same."""
    centred = weight.flatten() - weight.mean()
    variance = float(centred.square().mean())
    return float((centred**4).mean()) / variance**2 - 3 if variance > 0 else 0.0


def _has_edge(weight: Tensor) -> bool:
    """Whether no weight lies beyond the bound of PyTorch's default or Xavier's uniform distribution, and many near it."""
    fan_in = weight[0].numel()
    fan_out = len(weight) * weight[0][0].numel() if weight.ndim > 2 else len(weight)
    top = float(weight.abs().max())
    bounds = (1 / math.sqrt(fan_in), math.sqrt(6 / (fan_in + fan_out)))
    return weight.numel() >= _NUMBERS and any(0.98 * b < top <= b * (1 + 1e-6) for b in bounds)
