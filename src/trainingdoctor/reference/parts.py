"""The exchangeable parts of the reference run: what a benchmark replaces to measure the cost of a fault."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainingdoctor.reference.augmentation import augmented
from trainingdoctor.reference.muon import muon
from trainingdoctor.reference.recipe import Recipe, schedule
from trainingdoctor.reference.step import Augment, Criterion


def optimizer_of(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's: SGD, or Muon for the convolutions."""
    if not recipe.muon:
        return sgd(model, recipe)
    rates = {"rate": recipe.muon, "of_others": recipe.peak}
    return muon(model, **rates, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def sgd(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD; weight decay on matrices and kernels alone, unless the recipe decays all. On a GPU the fused kernel."""
    return torch.optim.SGD(
        groups(model, recipe),
        lr=recipe.peak,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        fused=on_gpu(model),
    )


def on_gpu(model: nn.Module) -> bool:
    """Whether its parameters are on an NVIDIA GPU."""
    return next(model.parameters()).is_cuda


def groups(model: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Two parameter groups: matrices and kernels; BatchNorm and biases."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices, vectors = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    rest = recipe.weight_decay if recipe.decay_all else 0.0
    return [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": rest}]


def cross_entropy(recipe: Recipe) -> Criterion:
    """Of logits (N, C) and classes (N), with the recipe's label smoothing."""
    return nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)


def shuffled(count: int, generator: torch.Generator) -> Tensor:
    """An epoch's order of the samples."""
    return torch.randperm(count, generator=generator)


def untouched(model: nn.Module) -> None:
    """The model as He et al. built it."""


@dataclass(frozen=True)
class Parts:
    """What is put together with a recipe. trains, evaluates: whether the model is in training mode then."""

    prepare: Callable[[nn.Module], None] = untouched
    optimizer: Callable[[nn.Module, Recipe], torch.optim.Optimizer] = optimizer_of
    criterion: Callable[[Recipe], Criterion] = cross_entropy
    augment: Augment = augmented
    evaluation_view: Callable[[Tensor], Tensor] | None = None
    rate: Callable[[Recipe, int], Callable[[int], float]] = schedule
    order: Callable[[int, torch.Generator], Tensor] = shuffled
    clip: float | None = None
    trains: bool = True
    evaluates: bool = False
