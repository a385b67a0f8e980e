"""How fast the loader is against the training step."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainingdoctor.cores import usable_cores
from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import device_of
from trainingdoctor.measure.dataset import sampler_of
from trainingdoctor.measure.one_step import OneStep


@dataclass(frozen=True)
class LoadingSpeed:
    """Seconds per sample to load in one process, and to train; the workers that would hide the loading.

    cores: that this process may use.
    """

    load: float
    train: float
    workers: int
    enough_workers: int
    cores: int
    device: str

    def seconds(self, workers: int) -> float:
        """Per sample with that many workers: without any, loading and training take turns."""
        if workers == 0:
            return self.load + self.train
        return max(self.load / min(workers, self.cores), self.train)

    @property
    def best_workers(self) -> int:
        """The fewest workers that hide the loading, or all cores where it cannot be hidden."""
        return min(self.enough_workers, self.cores)

    @property
    def gain(self) -> float:
        """How many times faster the best count is than the present one."""
        return self.seconds(self.workers) / self.seconds(self.best_workers)


@evidence(cost="probe", optional=("device",))
def loading_speed(
    train_loader: Any, model: nn.Module, one_step: OneStep, device: Any, *, samples: int = 64
) -> LoadingSpeed:
    """Time the data set and the collate function alone, in this process.

    Unavailable where the training is meant for another device than the one whose step was timed.
    """
    if one_step.seconds is None:
        raise Unavailable("without an optimizer no training step could be timed")
    here = device_of(model).type
    if device is not None and torch.device(device).type != here:
        raise Unavailable(f"the training is meant for {device}, and its step was timed on {here}")
    draw = sampler_of(train_loader)
    draw([0])
    count = min(samples, len(train_loader.dataset))
    started = time.perf_counter()
    draw(list(range(count)))
    load = (time.perf_counter() - started) / count
    train = one_step.seconds / max(one_step.batch_size, 1)
    return LoadingSpeed(
        load=load,
        train=train,
        workers=int(getattr(train_loader, "num_workers", 0)),
        enough_workers=max(1, -int(-load // train)),
        cores=max(1, int(usable_cores())),
        device=here,
    )
