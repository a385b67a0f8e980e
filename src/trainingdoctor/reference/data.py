"""Images for the reference run: CIFAR-10 in the layouts that people have it in, as uint8 tensors."""

import hashlib
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainingdoctor.errors import UserError

BATCHES = "cifar-10-batches-py"


@dataclass(frozen=True)
class Images:
    """uint8 images (N, 3, H, W) and int64 labels (N). source: where they come from, for the record."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    source: str

    @property
    def is_cifar10(self) -> bool:
        """By its numbers: 50,000 and 10,000 images, 5,000 and 1,000 of each of ten classes."""
        counts = [torch.bincount(y, minlength=10).tolist() for y in (self.train_y, self.test_y)]
        return counts == [[5_000] * 10, [1_000] * 10]

    def limited(self, train: int | None) -> "Images":
        """`train` training samples only, from all over: class folders come sorted by class."""
        if train is None or train >= len(self.train_x):
            return self
        kept = torch.arange(train) * len(self.train_x) // train
        return Images(self.train_x[kept], self.train_y[kept], self.test_x, self.test_y, self.classes, self.source)

    def to(self, device: torch.device) -> "Images":
        """All of it on `device`."""
        train, test = (
            (self.train_x.to(device), self.train_y.to(device)),
            (self.test_x.to(device), self.test_y.to(device)),
        )
        return Images(*train, *test, self.classes, self.source)


def load_images(folder: Path | None, download: bool = False) -> Images:
    """Read CIFAR-10 from torchvision's folder, an .npz, or class folders under train/ and test/.

    Raises UserError when nothing is there and `download` is not given: no network connection is opened unasked.
    """
    folder = folder or Path("data")
    if download and _batches(folder) is None:
        _download(folder)
    if (found := _batches(folder)) is not None:
        return _read_batches(found)
    if (folder / "cifar10.npz").is_file():
        return _read_npz(folder / "cifar10.npz")
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        return _read_folders(folder)
    raise UserError(
        f"no images in {folder}: give --data a folder with {BATCHES}/, cifar10.npz, or train/ and test/ with a folder per class; "
        "or --download to fetch CIFAR-10"
    )


def _download(folder: Path) -> None:
    from torchvision.datasets import CIFAR10

    try:
        CIFAR10(folder, download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"CIFAR-10 could not be fetched into {folder} ({error}): fetch cifar-10-python.tar.gz by other means, unpack it, "
            "and give its folder to --data"
        ) from error


def _batches(folder: Path) -> Path | None:
    candidates = (folder / BATCHES, folder)
    return next((c for c in candidates if (c / "data_batch_1").is_file()), None)


def _read_batches(folder: Path) -> Images:
    def read(name: str) -> tuple[np.ndarray, list[int]]:
        try:
            with (folder / name).open("rb") as file:
                batch = pickle.load(file, encoding="latin1")  # torchvision's own format of CIFAR-10
            return batch["data"].reshape(-1, 3, 32, 32), batch["labels"]
        except (OSError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{folder / name} cannot be read ({type(error).__name__}): unpack CIFAR-10 again"
            ) from error

    parts = [read(f"data_batch_{i}") for i in range(1, 6)]
    test_x, test_y = read("test_batch")
    train_x = np.concatenate([x for x, _ in parts])
    train_y = [label for _, labels in parts for label in labels]
    copy = "the published files" if _as_published(folder) else "not the published files"
    return _images(train_x, train_y, test_x, test_y, f"CIFAR-10 batches in {folder.name}, {copy}")


def _as_published(folder: Path) -> bool:
    """Whether the files have the md5 sums that torchvision knows: a rebuilt or lossy copy gives other figures."""
    from torchvision.datasets import CIFAR10

    known = [*CIFAR10.train_list, *CIFAR10.test_list]
    return all(
        hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest() == md5 for name, md5 in known
    )


def _read_npz(file: Path) -> Images:
    try:
        with np.load(file) as arrays:
            train_x, test_x = (arrays[k].transpose(0, 3, 1, 2) for k in ("train_x", "test_x"))
            return _images(train_x, arrays["train_y"], test_x, arrays["test_y"], file.name)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{file} cannot be read ({error}): it must hold train_x, test_x of shape (N, 32, 32, 3) and train_y, test_y"
        ) from error


def _read_folders(folder: Path) -> Images:
    from torchvision.datasets import ImageFolder

    try:
        train, test = ImageFolder(str(folder / "train")), ImageFolder(str(folder / "test"))
    except OSError as error:
        raise UserError(f"{folder}: {str(error).partition('. Supported')[0]}") from error
    if train.classes != test.classes:
        differ = sorted(set(train.classes) ^ set(test.classes))
        raise UserError(f"{folder}: train/ and test/ must hold the same classes; not in both: {', '.join(differ[:5])}")
    source = f"class folders in {folder.name}"
    return _images(_pixels(train), np.array(train.targets), _pixels(test), np.array(test.targets), source)


def _pixels(data: Any) -> np.ndarray:
    try:
        return np.stack([np.asarray(image.resize((32, 32))) for image, _ in data]).transpose(0, 3, 1, 2)
    except OSError as error:
        raise UserError(f"an image of {data.root} cannot be read: {error}") from error


def _images(train_x: np.ndarray, train_y: object, test_x: np.ndarray, test_y: object, source: str) -> Images:
    labels = torch.as_tensor(np.asarray(train_y)).long(), torch.as_tensor(np.asarray(test_y)).long()
    pixels = (torch.from_numpy(np.ascontiguousarray(x)) for x in (train_x, test_x))
    first, second = pixels
    return Images(first, labels[0], second, labels[1], int(labels[0].max()) + 1, source)


def generated_images(train: int = 512, test: int = 256, seed: int = 0) -> Images:
    """Ten classes of coloured noise around a class colour: for trying the machinery, never for a certificate."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.randint(40, 216, (10, 3, 1, 1), generator=generator)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(count) % 10
        noise = torch.randint(-40, 40, (count, 3, 32, 32), generator=generator)
        return (colours[labels] + noise).clamp(0, 255).to(torch.uint8), labels

    return Images(*draw(train), *draw(test), 10, "generated images")
