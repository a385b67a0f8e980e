"""The same architecture under two standard initializations: what this net does when it is healthy."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import set_mode, user_code
from trainingdoctor.measure.one_step import OneStep, measure_step

WEIGHTED = ("Conv1d", "Conv2d", "Conv3d", "Linear")
# From this share of exact zeros on a weight is a pruned one: no initialization draws any.
PRUNED = 0.3


@dataclass(frozen=True)
class ReferenceInit:
    """A step of the model as it is, of a copy initialized anew by `reset_parameters()`, and of one by Kaiming's rule.

    PyTorch's default lets the signal of a deep net without normalization fade (by the square root of 6 per layer), so
    that alone it would call Kaiming's initialization an explosion. kaiming: None where it was not measured.
    """

    own: OneStep
    reference: OneStep
    kaiming: OneStep | None = None

    @property
    def references(self) -> tuple[OneStep, ...]:
        """The healthy steps to compare with."""
        return (self.reference,) if self.kaiming is None else (self.reference, self.kaiming)

    def scale_ratios(self) -> dict[str, float]:
        """Standard deviation of each convolution's and linear layer's output over the nearer reference's; 1 between them.

        Without the last such layer (the head) and those that are silent on either side.
        """
        theirs = [{a.name: a.std for a in r.activations if a.std > 0} for r in self.references]
        layers = [a for a in self.own.activations if a.kind in WEIGHTED and all(a.name in t for t in theirs)]
        return {a.name: _beyond(a.std, [t[a.name] for t in theirs]) for a in layers[:-1] if a.std > 0}


def _beyond(value: float, band: list[float]) -> float:
    return value / max(band) if value > max(band) else value / min(band) if value < min(band) else 1.0


@evidence(cost="probe")
def reference_init(
    model: nn.Module, train_batches: tuple[Batch, ...], criterion: Callable[..., Any], *, samples: int = 16
) -> ReferenceInit:
    """Measure a forward and backward pass of the model and of freshly initialized copies on the same samples."""
    batch = train_batches[0].first(samples)
    set_mode(model, True)
    fresh = _reinitialized(model)
    _prune_as(model, fresh)
    own, reference = measure_step(model, batch, criterion), measure_step(fresh, batch, criterion)
    _kaiming(fresh)
    _prune_as(model, fresh)
    return ReferenceInit(own, reference, measure_step(fresh, batch, criterion))


def _reinitialized(model: nn.Module) -> nn.Module:
    try:
        with user_code("copying the model"):
            fresh = copy.deepcopy(model)
    except UserCodeError as error:
        raise Unavailable(f"the model cannot be copied to compare its initialization: {error}") from error
    with_reset = [m for m in fresh.modules() if callable(getattr(m, "reset_parameters", None))]
    if not with_reset:
        raise Unavailable("no layer of the model has a standard initialization to compare with")
    for module in with_reset:
        if _is_small_table(module):
            continue
        with user_code("reset_parameters()"):
            module.reset_parameters()  # type: ignore[operator]
    return fresh


@torch.no_grad()
def _prune_as(model: nn.Module, fresh: nn.Module) -> None:
    """Sparse nets are compared with nets as sparse: the zeros of a pruned weight are no initialization."""
    for (_, own), (_, anew) in zip(model.named_parameters(), fresh.named_parameters(), strict=False):
        if own.ndim > 1 and own.shape == anew.shape and PRUNED < float((own == 0).float().mean()) < 1.0:
            anew.mul_(own != 0)


def _is_small_table(module: nn.Module) -> bool:
    """Embeddings of deviation 0.01 to 0.05 are as usual as those of 1: what a layer makes of either is its own doing."""
    table = isinstance(module, nn.Embedding | nn.EmbeddingBag)
    return table and bool(0 < module.weight.detach().float().std() < 1)  # type: ignore[operator]


def _kaiming(model: nn.Module) -> None:
    """He et al. 2015: a variance of 2 / fan_in, and biases of zero, for every convolution and linear layer."""
    for module in model.modules():
        if type(module).__name__ in WEIGHTED and isinstance(weight := getattr(module, "weight", None), nn.Parameter):
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            if isinstance(bias := getattr(module, "bias", None), nn.Parameter):
                nn.init.zeros_(bias)
