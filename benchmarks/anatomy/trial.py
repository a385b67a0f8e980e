"""One worker's share of the plan: trainings of the reference, one fault each, one after another or side by side."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from faults import FAULTS
from subject import Subject, healthy

from trainingdoctor.reference import load_images
from trainingdoctor.reference.beside import side_by_side
from trainingdoctor.reference.run import device_named, precision_for
from trainingdoctor.reference.train import Run
from trainingdoctor.verify.execute import Work

Row = dict[str, Any]


@dataclass(frozen=True)
class Twin:
    """What all trainings have in common. data: of this machine and of the others.  limit: samples to train on."""

    data: Path | None
    depth: int
    epochs: int
    limit: int | None
    device: str | None


@dataclass(frozen=True)
class Share:
    """trainings: name of the fault, "healthy" for none, and seed; they run at the same time on the device."""

    twin: Twin
    trainings: tuple[tuple[str, int], ...]


@lru_cache(maxsize=1)
def subject_of(twin: Twin) -> Subject:
    """The training without a fault, once for each process."""
    device = device_named(None, twin.device)
    return healthy(
        load_images(twin.data).limited(twin.limit),
        depth=twin.depth,
        epochs=twin.epochs,
        device=device,
        precision=precision_for(device),
        graph=device.startswith("cuda"),
    )


def run_share(share: Share) -> list[Row]:
    """A row for each of its trainings. Small nets leave most of a card idle: each is captured before any runs."""
    ready = [Training(share.twin, *training) for training in share.trainings]
    walls = side_by_side([training.run for training in ready], print)
    rows = [training.row(wall) for training, wall in zip(ready, walls, strict=True)]
    ready.clear()
    gc.collect()
    return rows


def lost(share: Share, why: str) -> list[Row]:
    """Rows that say why there is no figure."""
    return [{"fault": name, "seed": seed, "error": why} for name, seed in share.trainings]


def on_gpu(share: Share) -> bool:
    """Whether it needs one."""
    return device_named(None, share.twin.device).startswith("cuda")


ANATOMY = Work(run_share, lost, on_gpu, str(Path(__file__).resolve().parent))


class Training:
    """One training, made ready by itself and then run, perhaps beside others."""

    def __init__(self, twin: Twin, name: str, seed: int) -> None:
        fault = next((f for f in FAULTS if f.name == name), None)
        subject = fault.change(subject_of(twin)) if fault else subject_of(twin)
        code, strength = (fault.code, fault.strength) if fault else ("healthy", "")
        self.about = {"fault": name, "code": code, "strength": strength, "seed": seed}
        self.run = Run(replace(subject.settings, seed=seed), subject.images, subject.parts)
        self.run.warm_up(print)

    def row(self, wall: float) -> Row:
        """What came of it."""
        metrics = self.run.metrics
        last = metrics[-1]
        return {
            **self.about,
            "accuracy": last.test_accuracy,
            "train_accuracy": round(last.train_accuracy, 2),
            "loss": round(last.loss, 4) if math.isfinite(last.loss) else str(last.loss),
            "best": max(m.test_accuracy for m in metrics),
            "epochs": len(metrics),
            "graph": self.run.graphed is not None,
            "wall": round(wall, 2),
        }
