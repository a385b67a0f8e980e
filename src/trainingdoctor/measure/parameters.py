"""Which parameters train."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.origins import tails

# Numbers from which on their spread tells even from normal: its kurtosis is known to 0.04.
FEW = 500


@dataclass(frozen=True)
class Trainable:
    """Counts of numbers; names of frozen tensors; head: the weight of the last convolution or linear layer.

    untouched: numbers of frozen weights that are still spread evenly around zero, as torch's layers begin; training bends that. Copies that follow
    a part that trains are not counted.  body_only: all that trains comes behind all that is frozen, as adapters do not; else nothing is
    counted as untouched.
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
    # A momentum encoder or a target net is frozen and follows a part that trains: He et al. 2020, arXiv:1911.05722 (encoder_q
    # and encoder_k); Grill et al. 2020, arXiv:2006.07733.
    followed = {(n.partition(".")[2], p.shape) for n, p in named.items() if p.requires_grad and "." in n}

    def is_own(name: str, parameter: nn.Parameter) -> bool:
        return (name.partition(".")[2], parameter.shape) not in followed

    body = _is_body([p.requires_grad for p in named.values() if p.ndim > 1])
    return Trainable(
        total=sum(p.numel() for p in named.values()),
        trainable=sum(p.numel() for p in named.values() if p.requires_grad),
        frozen=tuple(n for n, p in named.items() if not p.requires_grad),
        head=f"{heads[-1]}.weight".removeprefix(".") if heads else None,
        body_only=body,
        untouched=sum(
            p.numel() for n, p in named.items() if body and not p.requires_grad and is_own(n, p) and _is_even(p)
        ),
    )


def _is_body(trains: list[bool]) -> bool:
    return False in trains and trains == sorted(trains)


@torch.no_grad()
def _is_even(weight: Tensor) -> bool:
    """Whether the numbers of a matrix are spread evenly around zero: a kurtosis of 1.8, 1.2 less than a normal distribution's."""
    if weight.ndim < 2 or weight.numel() < FEW or not weight.is_floating_point():
        return False
    mean, deviation = float(weight.mean()), float(weight.std(correction=0))
    return deviation > 0 and abs(mean) <= 0.1 * deviation and abs(tails(weight.detach().float()) + 1.2) < 0.1
