"""Small real trainings that the tests share."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision  # noqa: F401 - else a diagnosis tries in a process of its own whether it can be imported
from coverage import Coverage
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from trainingdoctor_warm import CONTEXT, Warm
from typer.testing import CliRunner

from trainingdoctor import Training
from trainingdoctor.cli import app
from trainingdoctor.observing import launch
from trainingdoctor.verify import execute

torch.set_num_threads(1)


def small_net() -> nn.Module:
    """Convolution, BatchNorm, ReLU, pooling, linear layer."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def images(count: int = 96, classes: int = 4, seed: int = 0) -> TensorDataset:
    """Images whose mean colour tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    x = torch.randn(count, 3, 12, 12, generator=generator)
    x[:, 0] += labels[:, None, None] - 1.5
    return TensorDataset(x / x.std(), labels)


def build(**changes: Any) -> Training:
    """A healthy small training with some fields replaced."""
    torch.manual_seed(0)
    model = changes.pop("model", None) or small_net()
    trainable = [p for p in model.parameters() if p.requires_grad] or list(model.parameters())
    optimizer = changes.pop("optimizer", None) or torch.optim.SGD(trainable, lr=0.05, momentum=0.9, weight_decay=5e-4)
    fields = {
        "model": model,
        "train_loader": DataLoader(images(), batch_size=32, shuffle=True),
        "val_loader": DataLoader(images(seed=1), batch_size=32),
        "criterion": nn.CrossEntropyLoss(),
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
        if hasattr(optimizer, "param_groups")
        else None,
        "epochs": 5,
        **changes,
    }
    return Training(**fields)


class Waves(Dataset):
    """Colour images kept as bytes, as torchvision keeps CIFAR-10: four classes of waves, told apart by direction."""

    classes = ("level", "upright", "rising", "falling")

    def __init__(self, count: int = 800, transform: Any = None, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.targets = (np.arange(count) % 4).tolist()
        self.transform = transform
        y, x = np.mgrid[:16, :16] / 16
        ways = ((0, 1), (1, 0), (0.7, 0.7), (0.7, -0.7))
        waves = [np.sin(2 * np.pi * (2 * (a * x + b * y) + rng.random())) for a, b in (ways[t] for t in self.targets)]
        tint = np.array([70.0, 50.0, 30.0]) * rng.uniform(0.5, 1.0, (count, 1, 1, 3))
        pixels = np.array([130, 110, 90]) + np.stack(waves)[..., None] * tint + rng.normal(0, 5, (count, 16, 16, 3))
        self.data = pixels.clip(0, 255).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self.data[index])
        return (image if self.transform is None else self.transform(image)), self.targets[index]


@pytest.fixture(autouse=True, scope="session")
def counted() -> Iterator[None]:
    """Under coverage an observed script's process leaves by itself: killed, it could not tell what it ran."""
    wait = launch._wait

    def longer(child: subprocess.Popen[bytes], order: launch.Order, seconds: float) -> None:
        wait(child, order, seconds)
        with suppress(subprocess.TimeoutExpired):
            child.wait(20 if order.answer.is_file() else 0)

    with pytest.MonkeyPatch.context() as patch:
        if Coverage.current():
            patch.setattr(launch, "_wait", longer)
        yield


@pytest.fixture(autouse=True, scope="session")
def forked() -> Iterator[None]:
    """Scripts and verified trainings run in processes that are forked with torch imported; `fresh` starts interpreters."""
    with pytest.MonkeyPatch.context() as patch:
        if not Coverage.current():
            patch.setattr(launch, "subprocess", Warm)
            patch.setattr(execute, "get_context", lambda _: CONTEXT)
        yield


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts and verified trainings run in fresh interpreters, as they do for a user."""
    monkeypatch.setattr(launch, "subprocess", subprocess)
    monkeypatch.setattr(execute, "get_context", get_context)


@pytest.fixture
def waves() -> type[Waves]:
    """A small image data set that a small classifier can learn."""
    return Waves


@pytest.fixture
def training() -> Callable[..., Training]:
    """The builder of small trainings."""
    return build


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A command as it is typed, in a folder, but in this process: a fresh one takes seconds to load torch."""

    def run(folder: Path, *arguments: str, answers: str | None = None) -> Any:
        monkeypatch.chdir(folder)
        return CliRunner().invoke(app, arguments, input=answers)

    return run
