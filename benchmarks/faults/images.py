"""The images of the bench: real CIFAR-10 where it can be found, generated ones (saying so) where it cannot."""

from __future__ import annotations

import pickle
import sys
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
from cifar import FOLDER, data_folder

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


GENERATED = "generated images"


@cache
def source() -> str:
    """What the figures were measured on."""
    return "CIFAR-10, images re-encoded as JPEG (quality 75)" if data_folder() else GENERATED


# The short trainings of cost.py see only the first so many training and test images.
LIMIT = {"train": 0, "test": 0}


def arrays(train: bool) -> Arrays:
    """Images (N, 32, 32, 3) of 0 to 255, and class numbers. Shared: copy before writing."""
    images, labels = _all(train)
    limit = LIMIT["train" if train else "test"] or len(labels)
    return images[:limit], labels[:limit]


@cache
def _all(train: bool) -> Arrays:
    root = data_folder()
    if root is None:
        print("CIFAR-10 is not here: using GENERATED images", file=sys.stderr)
        return generated(20_000 if train else 5_000, seed=int(train))
    names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
    batches = []
    for name in names:
        with (root / FOLDER / name).open("rb") as file:
            batches.append(pickle.load(file, encoding="latin1"))
    pixels = np.concatenate([np.asarray(b["data"], dtype=np.uint8) for b in batches])
    labels = np.concatenate([np.asarray(b["labels"], dtype=np.int64) for b in batches])
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


def generated(count: int, seed: int) -> Arrays:
    """Ten classes of coloured waves at their own angle, with noise: learnable, and not CIFAR-10."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    y, x = np.mgrid[:32, :32] / 32
    pixels = np.empty((count, 32, 32, 3), dtype=np.uint8)
    for label in range(10):
        at = np.flatnonzero(labels == label)
        phase = random.uniform(0, 6.28, (len(at), 1, 1))
        wave = np.sin(2 * np.pi * (2 + label / 3) * (x * np.cos(label) + y * np.sin(label)) + phase)[..., None]
        colour = np.array([0.5 + label / 20, 0.5, 1 - label / 20])
        noise = random.normal(0, 25, (len(at), 32, 32, 3))
        pixels[at] = (120 + 60 * wave * colour + noise).clip(0, 255).astype(np.uint8)
    return pixels, labels.astype(np.int64)
