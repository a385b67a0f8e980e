"""Whether the model's weights have been trained before: what is right from scratch is wrong for fine-tuning."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainingdoctor.evidence import evidence
from trainingdoctor.measure.hooks import leaves

# Batches that a normalization layer says to have seen in a training; a config that tries its model out makes a few.
TRAINED = 100


@dataclass(frozen=True)
class Pretraining:
    """How many normalization layers there are, and how many of them have left their initial state.

    A fresh normalization layer has one scale and one shift for all channels (1 and 0, or 0 where a residual branch is
    silenced) and no running statistics; training moves them apart. Scales that were drawn (N(1, 0.02) in DCGAN, U(0, 1) in
    older PyTorch) stand beside shifts that are all equal, which training never leaves.
    """

    layers: int
    moved: int

    @property
    def done(self) -> bool:
        """Whether the weights come from an earlier training; False as well where no layer could tell."""
        return self.layers > 0 and self.moved >= 0.5 * self.layers


@evidence()
def pretraining(model: nn.Module) -> Pretraining:
    """Look at the scales, shifts and running statistics of the normalization layers."""
    layers = list(_norms(model))
    return Pretraining(len(layers), sum(map(_has_moved, layers)))


def _norms(model: nn.Module) -> Iterator[nn.Module]:
    for _, module in leaves(model):
        weight = getattr(module, "weight", None)
        if "norm" in type(module).__name__.lower() and isinstance(weight, Tensor) and weight.ndim == 1:
            yield module


@torch.no_grad()
def _has_moved(module: nn.Module) -> bool:
    batches = getattr(module, "num_batches_tracked", None)
    counted = int(batches) if isinstance(batches, Tensor) else 0
    if counted >= TRAINED:
        return True
    # A few passes move the running statistics; a checkpoint that does not count moves them as well.
    shift = getattr(module, "bias", None)
    names = ("weight" if shift is None else "bias", *(() if counted else ("running_mean",)))
    tensors = (getattr(module, name, None) for name in names)
    return any(isinstance(t, Tensor) and t.numel() > 1 and bool((t != t.flatten()[0]).any()) for t in tensors)
