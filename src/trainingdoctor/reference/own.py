"""The user's own training in the harness of the reference run."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from trainingdoctor.errors import UserError
from trainingdoctor.measure.batches import augmented, forward, prediction, split_batch
from trainingdoctor.measure.optimizers import several
from trainingdoctor.measure.steps import training_step
from trainingdoctor.reference.run import RunResult
from trainingdoctor.reference.train import EpochMetrics
from trainingdoctor.training import Training

NEEDED = ("model", "train_loader", "val_loader", "criterion", "optimizer", "epochs")


def train_own(
    training: Training, *, epochs: int | None = None, on_epoch: Callable[[EpochMetrics, int], None] = lambda *_: None
) -> RunResult:
    """Train a config as it stands: its loaders, optimizer, schedule, clipping and precision. Changes its objects.

    Raises UserError when the config lacks something that a training needs.
    """
    missing = [name for name in NEEDED if getattr(training, name) is None and not (name == "epochs" and epochs)]
    if missing:
        raise UserError(f"{training.name} cannot be trained without {', '.join(missing)}: add that to the config")
    model: Any = training.model
    total = int(epochs or training.epochs or 1)
    metrics = []
    for epoch in range(total):
        metrics.append(_epoch(training, model, epoch))
        on_epoch(metrics[-1], total)
    return RunResult(
        seed=0,
        accuracy=metrics[-1].test_accuracy,
        seconds=sum(m.seconds for m in metrics),
        epochs=total,
        parameters=sum(p.numel() for p in model.parameters()),
        data=training.name,
        metrics=tuple(metrics),
    )


def _epoch(training: Training, model: nn.Module, epoch: int) -> EpochMetrics:
    model.train()
    optimizers, schedulers = several(training.optimizer), several(training.scheduler) if training.scheduler else ()
    started, seen, total, steps = time.perf_counter(), 0, 0.0, 0
    rate = float(optimizers[0].param_groups[0]["lr"])
    criterion: Any = training.criterion
    for raw in training.train_loader or ():
        batch = augmented(split_batch(raw), training.augment_on_device)
        total += training_step(model, batch, criterion, optimizers, training.amp, training.grad_clip)
        seen, steps = seen + batch.size, steps + 1
        if training.scheduler_interval == "step":
            _advance(schedulers, None)
    seconds = time.perf_counter() - started
    accuracy = accuracy_of(model, training.val_loader)
    if training.scheduler_interval == "epoch":
        _advance(schedulers, accuracy)
    train_accuracy = accuracy_of(model, training.train_loader, batches=8)
    return EpochMetrics(epoch + 1, rate, total / max(steps, 1), train_accuracy, accuracy, seconds, seen / seconds)


def _advance(schedulers: tuple[Any, ...], metric: float | None) -> None:
    for scheduler in schedulers:
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            if metric is not None:
                scheduler.step(metric if scheduler.mode == "max" else -metric)
        else:
            scheduler.step()


@torch.no_grad()
def accuracy_of(model: nn.Module, loader: Any, batches: int | None = None) -> float:
    """Accuracy in percent over a loader (or its first `batches`), in eval mode."""
    model.eval()
    right = seen = 0
    for i, raw in enumerate(loader):
        if batches is not None and i >= batches:
            break
        batch = split_batch(raw)
        guess = prediction(forward(model, batch)).argmax(1).cpu()
        right, seen = right + int((guess == batch.targets.cpu()).sum()), seen + len(guess)
    return 100 * right / max(seen, 1)
