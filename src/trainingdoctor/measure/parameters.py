"""Which parameters train."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainingdoctor.evidence import evidence

# Numbers from which on their spread tells even from normal: its kurtosis is known to 0.04.
FEW = 500


@dataclass(frozen=True)
class Trainable:
    """Counts of numbers; names of frozen tensors; head: the weight of the last convolution or linear layer.

    untouched: numbers of frozen weights that are still spread evenly around zero, as torch's layers begin; training bends that. Copies that follow
    a part that trains are not counted.  body_only: all that trains comes behind all that is frozen, as adapters do not.
    """

    total: int
    trainable: int
    frozen: tuple[str, ...]
    head: str | None
    untouched: int = 0
    body_only: bool = False


@evidence()
def trainable(model: nn.Module) -> Trainable:
    """Read requires_grad of every parameter."""
    named = dict(model.named_parameters())
    heads = [n for n, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return Trainable(
        total=sum(p.numel() for p in named.values()),
        trainable=sum(p.numel() for p in named.values() if p.requires_grad),
        frozen=tuple(n for n, p in named.items() if not p.requires_grad),
        head=f"{heads[-1]}.weight".removeprefix(".") if heads else None,
        body_only=_is_body([p.requires_grad for p in named.values() if p.ndim > 1]),
        untouched=sum(
            p.numel() for n, p in named.items() if not p.requires_grad and not _follows(n, named) and _is_even(p)
        ),
    )


def _is_body(trains: list[bool]) -> bool:
    return False in trains and trains == sorted(trains)


def _follows(name: str, named: dict[str, nn.Parameter]) -> bool:
    """Whether a part that trains has the same weight: a momentum encoder or a target net is frozen and follows it.

    He et al. 2020, arXiv:1911.05722 (encoder_q and encoder_k); Grill et al. 2020, arXiv:2006.07733.
    """
    tail = name.partition(".")[2]
    return any(
        p.requires_grad and p.shape == named[name].shape and n != name and n.partition(".")[2] == tail
        for n, p in named.items()
        if tail
    )


@torch.no_grad()
def _is_even(weight: Tensor) -> bool:
    """Whether the numbers of a matrix are spread evenly around zero: a kurtosis of 1.8, where a normal distribution has 3."""
    if weight.ndim < 2 or weight.numel() < FEW or not weight.is_floating_point():
        return False
    values = weight.detach().double().flatten()
    spread = float(values.var(correction=0))
    if not spread or abs(float(values.mean())) > 0.1 * spread**0.5:
        return False
    return abs(float(((values - values.mean()) ** 4).mean()) / spread**2 - 1.8) < 0.1
