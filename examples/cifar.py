"""CIFAR-10 for the examples: the real one where it can be found, generated images (saying so) where it cannot."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import Dataset
from torchvision.datasets import CIFAR10

HERE = Path(__file__).resolve().parent
FOLDER = "cifar-10-batches-py"
UNPACKER = HERE.parent.parent / "shared" / "data" / "cifar10.py"


class Cifar10(CIFAR10):
    """torchvision's CIFAR10 that also takes batches rebuilt from JPEG images, whose md5 sums differ."""

    def _check_integrity(self) -> bool:
        return (Path(self.root) / FOLDER / "data_batch_1").is_file()

    def _load_meta(self) -> None:
        with (Path(self.root) / FOLDER / "batches.meta").open("rb") as file:
            self.classes = pickle.load(file)["label_names"]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}


class GeneratedImages(Dataset):
    """Ten classes of 32x32 images, each a coloured wave at its own angle with noise: learnable, and not CIFAR-10."""

    classes = tuple(f"wave {angle}" for angle in range(10))

    def __init__(self, train: bool, transform: Callable) -> None:
        self.transform = transform
        self.targets = [i % 10 for i in range(50_000 if train else 10_000)]
        self.offset = 0 if train else 10**6

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple:
        label = self.targets[index]
        random = np.random.default_rng(self.offset + index)
        y, x = np.mgrid[:32, :32] / 32
        wave = np.sin(2 * np.pi * (2 + label / 3) * (x * np.cos(label) + y * np.sin(label)) + random.uniform(0, 6.28))
        colour = np.array([0.5 + label / 20, 0.5, 1 - label / 20])
        pixels = 120 + 60 * wave[..., None] * colour + random.normal(0, 25, (32, 32, 3))
        return self.transform(Image.fromarray(pixels.clip(0, 255).astype(np.uint8))), label


def data_folder() -> Path | None:
    """$CIFAR10_DIR, or .data beside the examples; unpacked from a copy next to the repository where there is one."""
    for root in (os.environ.get("CIFAR10_DIR"), HERE / ".data"):
        if root and (Path(root) / FOLDER / "data_batch_1").is_file():
            return Path(root)
    if UNPACKER.is_file():
        print(f"unpacking CIFAR-10 into {HERE.name}/.data (once)", file=sys.stderr)
        subprocess.run([sys.executable, str(UNPACKER), "batches", str(HERE / ".data")], check=True)
        return HERE / ".data"
    return None


def cifar10(train_transform: Callable, test_transform: Callable) -> tuple[Dataset, Dataset]:
    """Training and test set with these transforms."""
    root = data_folder()
    if root is None:
        print("CIFAR-10 is not here: using GENERATED images (set CIFAR10_DIR to use the real ones)", file=sys.stderr)
        return GeneratedImages(True, train_transform), GeneratedImages(False, test_transform)
    return Cifar10(root, train=True, transform=train_transform), Cifar10(root, train=False, transform=test_transform)
