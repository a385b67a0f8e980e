"""BatchNorm's running statistics, channel by channel, against those of the batches that they stand for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.batchnorm import BatchNormLayers, running
from trainingdoctor.measure.budget import Budget
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.channels_last import faster
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.small_batches import small_batches

LEAST = 2


@dataclass(frozen=True)
class LayerStatistics:
    """One layer, by channel. running_mean, running_std: what evaluation normalizes by.  mean, std: over all the batches."""

    name: str
    running_mean: Tensor
    running_std: Tensor
    mean: Tensor
    std: Tensor

    @property
    def drift(self) -> float:
        """Median over the channels of |running mean - mean|, in standard deviations."""
        return float(((self.running_mean - self.mean).abs() / self.std.clamp_min(1e-6)).median())


@dataclass(frozen=True)
class BatchNormStatistics:
    """Layers in the order they run. batches: how many were looked at, of batch_size samples each.

    replayed: the running statistics of a fresh model, as its momentum makes them from these batches, gone through in turn
    for so many steps with the weights held; None for those that the model came with.
    """

    layers: tuple[LayerStatistics, ...]
    batches: int
    batch_size: int
    replayed: int | None


@evidence(cost="probe")
def batchnorm_statistics(
    model: nn.Module,
    batchnorm_layers: BatchNormLayers,
    train_batches: tuple[Batch, ...],
    *,
    batches: int = 8,
    seconds: float = 0.5,
    replay: int = 100,
) -> BatchNormStatistics:
    """Watch the layers that keep running statistics through forward passes in training mode.

    As many as `batches` of up to 32 samples, fewer after `seconds`, and two at least.
    """
    given: list[Batch] = []
    budget = Budget(seconds)
    set_mode(model, True)
    fresh = not any(layer.updates for layer in batchnorm_layers.layers)
    kept = running(model)
    few = small_batches(train_batches)[:batches]
    with torch.no_grad(), faster(model, few[0]), _watched(model) as seen:
        for batch in few:
            forward(model, batch)
            given.append(batch)
            if budget.spent and len(given) >= LEAST:
                break
    modules = dict(_layers(model))
    whole = {name: s for name, s in seen.items() if len(s) == len(given) >= 2}
    if not whole:
        raise Unavailable("no BatchNorm layer ran once in each of several batches")
    return BatchNormStatistics(
        layers=tuple(
            _compared(n, s, _replayed(modules[n].momentum, s, replay) if fresh else kept[n]) for n, s in whole.items()
        ),
        batches=len(given),
        batch_size=given[0].size,
        replayed=replay if fresh else None,
    )


def _layers(model: nn.Module) -> Iterator[tuple[str, _BatchNorm]]:
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None and module.training:
            yield name, module


@contextmanager
def _watched(model: nn.Module) -> Iterator[dict[str, list[tuple[Tensor, Tensor]]]]:
    """Mean and variance by channel of what each layer gets, by name, a pair for each batch."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watching(name: str) -> torch.utils.hooks.RemovableHandle:
        def record(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            channels = inputs[0].detach().float().transpose(0, 1).flatten(1)
            variance, mean = torch.var_mean(channels, 1)
            seen.setdefault(name, []).append((mean, variance))

        return modules[name].register_forward_pre_hook(record)

    modules = dict(_layers(model))
    with attached(watching(name) for name in modules):
        yield seen


def _replayed(momentum: float | None, seen: list[tuple[Tensor, Tensor]], steps: int) -> tuple[Tensor, Tensor]:
    """PyTorch's rule, from its own beginning of 0 and 1."""
    mean, variance = torch.zeros_like(seen[0][0]), torch.ones_like(seen[0][1])
    for step in range(steps):
        newest = seen[step % len(seen)]
        weight = 1 / (step + 1) if momentum is None else momentum
        mean, variance = mean.lerp(newest[0], weight), variance.lerp(newest[1], weight)
    return mean, variance


def _compared(name: str, seen: list[tuple[Tensor, Tensor]], kept: tuple[Tensor, Tensor]) -> LayerStatistics:
    means, variances = torch.stack([m for m, _ in seen]), torch.stack([v for _, v in seen])
    whole = variances.mean(0) + means.var(0, correction=0)
    return LayerStatistics(
        name=name,
        running_mean=kept[0].float().cpu(),
        running_std=kept[1].float().clamp_min(0).sqrt().cpu(),
        mean=means.mean(0).cpu(),
        std=whole.sqrt().cpu(),
    )
