"""BatchNorm: how each layer is set, and whether its running statistics fit the data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import loss_of, prediction

# Passes in train mode that some models make when they are built, to learn a size of their own.
FEW = 2


@dataclass(frozen=True)
class BatchNormLayer:
    """One layer's settings. given_training: its mode in the config.  training: its mode after `model.train()`.

    updates: how often its running statistics were updated so far (0 for a fresh layer; at least 1 where they have moved,
    as after loading a checkpoint that does not count).  synchronized: statistics over all processes (SyncBatchNorm).
    """

    name: str
    features: int
    momentum: float | None
    eps: float
    affine: bool
    trainable: bool
    tracked: bool
    given_training: bool
    training: bool
    updates: int
    synchronized: bool = False


@dataclass(frozen=True)
class BatchNormLayers:
    """All BatchNorm layers. model_training: the model's own mode in the config."""

    layers: tuple[BatchNormLayer, ...]
    model_training: bool

    def names(self, condition: Callable[[BatchNormLayer], bool]) -> tuple[str, ...]:
        """Names of the layers for which `condition` holds."""
        return tuple(layer.name for layer in self.layers if condition(layer))


@evidence()
def batchnorm_layers(model: nn.Module) -> BatchNormLayers:
    """The model's BatchNorm layers, with their modes before and after `model.train()`."""
    modules = {n: m for n, m in model.named_modules() if isinstance(m, _BatchNorm)}
    if not modules:
        raise Unavailable("the model has no BatchNorm layer")
    given, model_given = {n: m.training for n, m in modules.items()}, model.training
    set_mode(model, True)
    return BatchNormLayers(tuple(_layer(n, m, given[n]) for n, m in modules.items()), model_given)


def _layer(name: str, module: _BatchNorm, given: bool) -> BatchNormLayer:
    tracked, mean = module.num_batches_tracked, module.running_mean
    moved = mean is not None and bool(mean.any())
    return BatchNormLayer(
        name=name,
        features=module.num_features,
        momentum=None if module.momentum is None else float(module.momentum),
        eps=module.eps,
        affine=module.affine,
        trainable=module.weight is not None and module.weight.requires_grad,
        tracked=module.running_mean is not None,
        given_training=given,
        training=module.training,
        updates=max(int(moved), 0 if tracked is None else int(tracked)),
        synchronized=isinstance(module, nn.SyncBatchNorm),
    )


@dataclass(frozen=True)
class RunningStatistics:
    """Evaluation with the running statistics as they are, and with statistics measured afresh on training batches.

    losses and accuracies (percent; None where targets are no class indices) are on the same evaluation samples.
    drift: median over channels of |running mean - fresh mean| in fresh standard deviations.
    """

    loss: float
    fresh_loss: float
    accuracy: float | None
    fresh_accuracy: float | None
    drift: float
    worst_layer: str


@evidence(cost="probe", optional=("val_batches",))
def running_statistics(
    model: nn.Module,
    batchnorm_layers: BatchNormLayers,
    train_batches: tuple[Batch, ...],
    val_batches: tuple[Batch, ...] | None,
    criterion: Any,
    *,
    samples: int = 256,
) -> RunningStatistics:
    """Compare running statistics with fresh ones, for a model that has been trained before."""
    fresh = not any(layer.updates for layer in batchnorm_layers.layers) and not _was_trained(model)
    if fresh or 0 < _counted(model) <= FEW:
        raise Unavailable("the model is fresh: its running statistics have not seen data yet")
    judged = _joined(val_batches if val_batches and _is_alike(val_batches, train_batches) else train_batches, samples)
    set_mode(model, False)
    loss, accuracy = _evaluated(model, judged, criterion)
    before = running(model)
    recalibrate(model, _joined(train_batches, samples))
    drift, worst = _drift(before, running(model))
    fresh_loss, fresh_accuracy = _evaluated(model, judged, criterion)
    return RunningStatistics(loss, fresh_loss, accuracy, fresh_accuracy, drift, worst)


def _counted(model: nn.Module) -> int:
    """How many batches its layers have counted; 0 after a checkpoint that does not count."""
    layers = (m for m in model.modules() if isinstance(m, _BatchNorm) and m.num_batches_tracked is not None)
    return max((int(m.num_batches_tracked) for m in layers), default=0)  # type: ignore[arg-type]


def _is_alike(one: tuple[Batch, ...], other: tuple[Batch, ...]) -> bool:
    """Whether their targets have one form: a criterion of one's own for mixed targets takes no class numbers."""
    forms = [
        (t.ndim, t.is_floating_point()) if isinstance(t := b[0].targets, torch.Tensor) else None for b in (one, other)
    ]
    return forms[0] == forms[1]


def _was_trained(model: nn.Module) -> bool:
    """Whether the channels of some layer have a scale and a shift each: weights that came without their statistics."""
    found = (m for m in model.modules() if isinstance(m, _BatchNorm) and m.affine and m.running_mean is not None)
    return any(bool((m.weight != m.weight[0]).any() and (m.bias != m.bias[0]).any()) for m in found)


def _joined(batches: tuple[Batch, ...], samples: int) -> tuple[Batch, ...]:
    taken: list[Batch] = []
    for batch in batches:
        taken.append(batch.first(samples))
        if sum(b.size for b in taken) >= samples:
            break
    return tuple(taken)


def recalibrate(model: nn.Module, batches: tuple[Batch, ...]) -> None:
    """Set the running statistics to the average over `batches`, and leave the model in eval mode."""
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    with torch.no_grad():
        for batch in batches:
            forward(model, batch)
    set_mode(model, False)


def running(model: nn.Module) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Copies of the running means and variances, by layer."""
    return {
        n: (m.running_mean.clone(), m.running_var.clone())
        for n, m in model.named_modules()
        if isinstance(m, _BatchNorm) and m.running_mean is not None and m.running_var is not None
    }


def _drift(
    before: dict[str, tuple[torch.Tensor, torch.Tensor]], after: dict[str, tuple[torch.Tensor, torch.Tensor]]
) -> tuple[float, str]:
    """Median channel drift of the layer that drifts most."""
    drifts = {
        name: float(((mean - after[name][0]).abs() / (after[name][1] + 1e-5).sqrt()).median())
        for name, (mean, _) in before.items()
    }
    worst = max(drifts, key=drifts.__getitem__)
    return drifts[worst], worst


@torch.no_grad()
def _evaluated(model: nn.Module, batches: tuple[Batch, ...], criterion: Any) -> tuple[float, float | None]:
    losses, right, total = [], 0, 0
    for batch in batches:
        output = forward(model, batch)
        losses.append(float(loss_of(criterion, output, batch).mean()))
        guess = prediction(output)
        targets = batch.targets
        if (
            isinstance(targets, torch.Tensor)
            and targets.ndim == 1
            and guess.ndim == 2
            and not targets.is_floating_point()
        ):
            right += int((guess.argmax(1).cpu() == targets.cpu()).sum())
            total += len(targets)
    return sum(losses) / len(losses), 100 * right / total if total else None
