"""Data in the layouts that public scripts ask torchvision for, made from CIFAR-10: no network is needed, and no figure is theirs.

MNIST: grey 28 x 28 crops, darkened to MNIST's mean and deviation, CIFAR-10's classes. CIFAR-100: the images and, as fine labels,
their class and the tenth of the class's brightness that they are in.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np

from trainingdoctor.reference.data import Images

MNIST_MEAN = 0.1307


def make_mnist(images: Images, folder: Path) -> None:
    """MNIST/raw/*-ubyte under `folder`."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, x, y in (("train", images.train_x, images.train_y), ("t10k", images.test_x, images.test_y)):
        grey = x.float().mean(1)[:, 2:30, 2:30].numpy()
        # The darkest pixels to black until the mean is MNIST's; then the deviation comes out near it, too.
        low = np.quantile(grey, 0.78)
        pixels = np.clip((grey - low) * (MNIST_MEAN * 255 / np.clip(grey - low, 0, None).mean()), 0, 255).astype(
            np.uint8
        )
        (raw / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, *pixels.shape) + pixels.tobytes())
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 2049, len(y)) + y.numpy().astype(np.uint8).tobytes()
        )


def make_cifar100(images: Images, folder: Path) -> None:
    """cifar-100-python/{train,test,meta} under `folder`."""
    root = folder / "cifar-100-python"
    root.mkdir(parents=True, exist_ok=True)
    for name, x, y in (("train", images.train_x, images.train_y), ("test", images.test_x, images.test_y)):
        brightness, fine = x.float().mean((1, 2, 3)), y.clone()
        for label in range(10):
            mine = (y == label).nonzero()[:, 0]
            rank = brightness[mine].argsort().argsort()
            fine[mine] = label * 10 + rank * 10 // len(mine)
        content = {
            "data": x.reshape(len(x), -1).numpy(),
            "fine_labels": fine.tolist(),
            "coarse_labels": (fine // 5).tolist(),
            "filenames": [f"{i}.png" for i in range(len(x))],
        }
        (root / name).write_bytes(pickle.dumps(content))
    names = {"fine_label_names": [str(i) for i in range(100)], "coarse_label_names": [str(i) for i in range(20)]}
    (root / "meta").write_bytes(pickle.dumps(names))
    # What the rebuilt CIFAR-10's patch of torchvision looks for.
    (root / "test_batch").write_bytes(b"")
