"""How fast the loader is against the training step."""

import os
import time
from dataclasses import dataclass
from typing import Any

from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import device_of
from trainingdoctor.measure.dataset import sampler_of
from trainingdoctor.measure.one_step import OneStep


@dataclass(frozen=True)
class LoadingSpeed:
    """Seconds per sample to load in one process, and to train; the workers that would hide the loading."""

    load: float
    train: float
    workers: int
    enough_workers: int
    cores: int
    device: str


@evidence(cost="probe")
def loading_speed(train_loader: Any, model: nn.Module, one_step: OneStep, *, samples: int = 64) -> LoadingSpeed:
    """Time the data set and the collate function alone, in this process."""
    if one_step.seconds is None:
        raise Unavailable("without an optimizer no training step could be timed")
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
        cores=os.cpu_count() or 1,
        device=device_of(model).type,
    )
