"""Which parameters train."""

from dataclasses import dataclass

from torch import nn

from trainingdoctor.evidence import evidence


@dataclass(frozen=True)
class Trainable:
    """Counts of numbers; names of frozen tensors; head: the weight of the last convolution or linear layer."""

    total: int
    trainable: int
    frozen: tuple[str, ...]
    head: str | None


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
    )
