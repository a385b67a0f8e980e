"""A training made short: a part of its data, few epochs, and the whole of its schedule pressed into them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, Subset

from trainingdoctor.errors import UserError
from trainingdoctor.measure.optimizers import several
from trainingdoctor.measure.schedule import ScheduleTrace, steps_per_epoch, trace
from trainingdoctor.measure.simulation import leading_group
from trainingdoctor.training import Training

if TYPE_CHECKING:
    from trainingdoctor.verify.task import Size


def shortened(training: Training, size: Size, seed: int) -> Training:
    """The same training on a part of its data. The samples are the same for every variant and every seed, their order follows the seed.

    Raises UserError where the schedule itself would not last for the run.
    """
    epochs = size.epochs_of(training.epochs)
    loader = part_of(training.train_loader, size.samples, seed)
    short = replace(
        training,
        train_loader=loader,
        val_loader=part_of(training.val_loader, size.evaluation, seed),
        epochs=epochs,
    )
    if training.scheduler is None or training.epochs is None:
        return short
    whole = trace(
        training.optimizer,
        training.scheduler,
        training.epochs,
        steps_per_epoch(training.train_loader),
        training.scheduler_interval,
    )
    if whole.error is not None:
        raise UserError(f"{training.name} would stop in its run: {whole.error}")
    if whole.adaptive:
        return short
    steps = epochs * max(1, len(loader))
    return replace(short, scheduler=Replayed(training.optimizer, whole, steps), scheduler_interval="step")


def part_of(loader: Any, samples: int, seed: int) -> Any:
    """A loader of as many samples, drawn once and for all; of a loader that is not of a data set, its first batches."""
    if loader is None:
        return None
    dataset, size = getattr(loader, "dataset", None), getattr(loader, "batch_size", None)
    if not isinstance(loader, DataLoader) or isinstance(dataset, IterableDataset) or not size:
        return FirstBatches(loader, max(1, samples // (size or 128)))
    count = len(loader.sampler) if hasattr(loader.sampler, "__len__") else len(dataset)  # type: ignore[arg-type]
    chosen = np.sort(np.random.default_rng(0).permutation(len(dataset))[: min(samples, count)])  # type: ignore[arg-type]
    return DataLoader(
        Subset(dataset, chosen.tolist()),  # type: ignore[arg-type]
        batch_size=size,
        shuffle=not isinstance(loader.sampler, SequentialSampler),
        drop_last=loader.drop_last and len(chosen) > size,
        collate_fn=loader.collate_fn,
        generator=torch.Generator().manual_seed(seed),
    )


@dataclass(frozen=True)
class FirstBatches:
    """The first batches of a loader."""

    loader: Any
    count: int

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.loader), self.count)

    def __len__(self) -> int:
        return self.count


class Replayed:
    """A schedule that goes through the rates of a whole run in fewer steps, for all parameter groups in proportion."""

    def __init__(self, optimizer: Any, whole: ScheduleTrace, steps: int) -> None:
        self.groups = [g for o in several(optimizer) for g in o.param_groups]
        first = [float(g.get("initial_lr", g["lr"])) for g in self.groups]
        leading = first[leading_group(optimizer)] or 1.0
        self.base = [rate / leading for rate in first]
        self.rates, self.steps, self.done = whole.rates, steps, 0
        self._set()

    def step(self) -> None:
        """After each optimizer step."""
        self.done += 1
        self._set()

    def _set(self) -> None:
        index = min(int(self.done / self.steps * len(self.rates)), len(self.rates) - 1)
        for group, share in zip(self.groups, self.base, strict=True):
            group["lr"] = self.rates[index] * share
