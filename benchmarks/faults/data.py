"""The data side of a training: one description, rendered in six styles of writing a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from images import CLASSES, Arrays, arrays
from pipelines import EVALUATE, STYLES, Op
from torch.utils.data import DataLoader, Dataset

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
Triple = tuple[float, float, float]
Change = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Side:
    """How one side (training or evaluation) turns pixels into inputs.

    ops: random changes, by name.  mean, std: None leaves 0..1.  raw: 0..255 as floats, not scaled or normalized.
    twice: normalize again.  after: functions of a finished (C, H, W) tensor.  change: of the images and labels themselves.
    """

    ops: tuple[str, ...] = ()
    mean: Triple | None = MEAN
    std: Triple | None = STD
    raw: bool = False
    twice: bool = False
    after: tuple[Op, ...] = ()
    change: Change | None = None


@dataclass(frozen=True)
class Data:
    """Both sides and the loaders. style: v1, v2, albumentations, numpy, collate or device.

    wrap: put around the training set.  loader: arguments of the training DataLoader.
    """

    style: str = "v1"
    train: Side = field(default_factory=lambda: Side(("crop", "flip")))
    test: Side = field(default_factory=Side)
    wrap: Callable[[Dataset[Any]], Dataset[Any]] | None = None
    batch_size: int = 128
    loader: dict[str, Any] = field(default_factory=lambda: {"shuffle": True})
    test_loader: dict[str, Any] = field(default_factory=dict)
    mix: Callable[[list[Any]], Any] | None = None

    def loaders(self) -> tuple[DataLoader[Any], DataLoader[Any], Any]:
        """Training loader, evaluation loader, and augment_on_device (None but for the style `device`)."""
        train_set, collate, on_device = STYLES[self.style](_changed(True, self.train.change), self.train)
        test_set, test_collate, _ = STYLES[EVALUATE.get(self.style, self.style)](
            _changed(False, self.test.change), self.test
        )
        train: Any = self.wrap(train_set) if self.wrap else train_set
        return (
            DataLoader(train, batch_size=self.batch_size, collate_fn=self.mix or collate, **self.loader),
            DataLoader(test_set, batch_size=256, collate_fn=test_collate, **self.test_loader),
            on_device,
        )


def _changed(train: bool, change: Change | None) -> Arrays:
    return change(arrays(train)) if change else arrays(train)


class Wrapped(Dataset[Any]):
    """A data set around another one; keeps its list of targets."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.targets, self.classes = inner, inner.targets, CLASSES

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> Any:
        return self.inner[index]


class Cached(Wrapped):
    """Keeps the first, augmented draw of every sample."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.kept: dict[int, Any] = {}

    def __getitem__(self, index: int) -> Any:
        if index not in self.kept:
            self.kept[index] = self.inner[index]
        return self.kept[index]


class Reseeded(Wrapped):
    """Seeds the random states with the index before every draw."""

    def __getitem__(self, index: int) -> Any:
        torch.manual_seed(index)
        np.random.seed(index)
        return self.inner[index]


class OwnGenerator(Wrapped):
    """Shifts and mirrors from a NumPy generator that the data set owns, and that every worker copies."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index: int) -> Any:
        image, label = self.inner[index]
        dy, dx = self.rng.integers(-4, 5, 2)
        image = torch.roll(image, (int(dy), int(dx)), (1, 2))
        return (image.flip(2) if self.rng.random() < 0.5 else image), label


class Relabelled(Wrapped):
    """Labels from 1 to 10."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.targets = [t + 1 for t in inner.targets]

    def __getitem__(self, index: int) -> Any:
        image, label = self.inner[index]
        return image, label + 1
