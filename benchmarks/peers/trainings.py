"""The trainings that every tool examines. What they are comes from the fault bench; only `cases` knows how."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trainingdoctor import Training

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))
import cases as bench
from cases import FAULTS, HEALTHY, Case
from cifar import cifar10, data_folder

# The smallest of He's CIFAR ResNets (6n + 2 layers, n = 1): every tool trains it anew for every case.
DEPTH = 8

# A part of each area of the catalogue, with what the other tools say that they look for; `--all` runs the rest too.
SICK = (
    "augmentation removed",
    "raw pixels (0..255)",
    "test set not normalized",
    "BatchNorm momentum 0.99",
    "batches of 4",
    "rate 10",
    "rate 1e-6",
    "milestones in steps",
    "decays in 15 epochs",
    "layers replaced after optimizer",
    "Adam with L2",
    "no weight decay",
    "dropout on in eval",
    "weights N(0, 1)",
    "dead units",
    "softmax before cross entropy",
    "loss negated",
    "labels from 1",
    "input ignored",
    "features detached",
    "one rare class",
    "a class left out",
)
WELL = (
    "cured",
    "one-cycle per step",
    "0.5 statistics",
    "AdamW",
    "no warm-up",
    "zero-gamma residuals",
)


def cases(everything: bool = False) -> Iterable[tuple[str, str | None, Callable[[], Training]]]:
    """Name, the code of its fault (None: healthy), and how to build it."""
    for name, changes in HEALTHY.items():
        if everything or name in WELL:
            yield name, None, partial(_built, changes)
    for name, (code, changes) in FAULTS.items():
        if everything or name in SICK:
            yield name, code, partial(_built, changes)


def keep_data() -> None:
    """Reads the images once for all trainings of this process and of those forked from it."""
    kept = cifar10(None, None)

    def again(train: Any, test: Any) -> list[Any]:
        copies = [copy.copy(part) for part in kept]
        copies[0].transform, copies[1].transform = train, test
        return copies

    bench.cifar10 = again


def data() -> str:
    """What the trainings are made of."""
    return "CIFAR-10 with images re-encoded as JPEG" if data_folder() else "generated images"


def _built(changes: dict[str, object]) -> Training:
    return replace(Case(depth=DEPTH), **changes).build()
