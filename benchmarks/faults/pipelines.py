"""Six ways in which people write an image pipeline. Each takes arrays and a `Side`, and gives
(data set, collate function, augment_on_device)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from images import CLASSES, Arrays
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms as T
from torchvision.datasets import CIFAR10
from torchvision.transforms import v2

if TYPE_CHECKING:
    from data import Side

Op = Callable[[Tensor], Tensor]
Rendered = tuple[Any, Any, Any]


class Cifar10(CIFAR10):
    """torchvision's data set on arrays that are in memory already."""

    def __init__(self, data: Arrays, transform: Callable[..., Any]) -> None:
        self.data, self.targets = data[0], data[1].tolist()
        self.transform, self.target_transform, self.transforms = transform, None, None
        self.root, self.train, self.classes = "", True, list(CLASSES)
        self.class_to_idx = {name: i for i, name in enumerate(CLASSES)}


class Images(Dataset[Any]):
    """What people write by hand: arrays, and a function of one image."""

    def __init__(self, data: Arrays, prepare: Callable[..., Any]) -> None:
        self.images, self.targets, self.prepare, self.classes = data[0], data[1].tolist(), prepare, CLASSES

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Any:
        return self.prepare(self.images[index]), self.targets[index]


class Raw:
    """Pixels of 0 to 255 as floats."""

    def __call__(self, image: Any) -> Tensor:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


def _random_transforms(module: Any) -> dict[str, Callable[[], Any]]:
    """By name; torchvision's two transform modules have them all under the same names."""
    return {
        "crop": lambda: module.RandomCrop(32, padding=4),
        "flip": module.RandomHorizontalFlip,
        "colour": lambda: module.ColorJitter(0.3, 0.3, 0.3),
        "trivial": module.TrivialAugmentWide,
        "rand": lambda: module.RandAugment(2, 9),
        "rotate": lambda: module.RandomRotation(15),
        "resized": lambda: module.RandomResizedCrop(32, scale=(0.5, 1.0)),
        "tiny_crop": lambda: module.RandomResizedCrop(32, scale=(0.004, 0.01)),
        "never": lambda: module.RandomHorizontalFlip(p=0.0),
        "full_crop": lambda: module.RandomCrop(32),
    }


V1, V2 = _random_transforms(T), _random_transforms(v2)


def _normalizers(side: Side, normalize: Callable[..., Any]) -> list[Any]:
    once = [normalize(side.mean, side.std)] if side.mean is not None and not side.raw else []
    return once * (2 if side.twice else 1)


def v1(data: Arrays, side: Side) -> Rendered:
    """torchvision.transforms on PIL images."""
    to_tensor = Raw() if side.raw else T.ToTensor()
    steps = [*(V1[op]() for op in side.ops), to_tensor, *_normalizers(side, T.Normalize), *side.after]
    return Cifar10(data, T.Compose(steps)), None, None


def with_v2(data: Arrays, side: Side) -> Rendered:
    """torchvision.transforms.v2 on tensor images."""
    convert = v2.ToDtype(torch.float32, scale=not side.raw)
    steps = [v2.ToImage(), *(V2[op]() for op in side.ops), convert, *_normalizers(side, v2.Normalize), *side.after]
    return Cifar10(data, v2.Compose(steps)), None, None


def with_albumentations(data: Arrays, side: Side) -> Rendered:
    """albumentations on arrays, called with keywords."""
    import albumentations as A
    from albumentations.pytorch import ToTensorV2

    known = {"crop": [A.PadIfNeeded(40, 40), A.RandomCrop(32, 32)], "flip": [A.HorizontalFlip(p=0.5)]}
    scale = [] if side.raw else [A.ToFloat(255.0)]
    norms = _normalizers(side, lambda mean, std: A.Normalize(mean, std, max_pixel_value=1.0))
    change = A.Compose([*(t for op in side.ops for t in known[op]), *scale, *norms, ToTensorV2()])

    def prepare(image: Any) -> Tensor:
        return _finished(change(image=image)["image"].float(), side)

    return Images(data, prepare), None, None


def with_numpy(data: Arrays, side: Side) -> Rendered:
    """NumPy in __getitem__, random numbers from NumPy's global state."""

    def prepare(image: Any) -> Tensor:
        if "crop" in side.ops:
            padded = np.pad(image, ((4, 4), (4, 4), (0, 0)))
            y, x = np.random.randint(0, 9, 2)
            image = padded[y : y + 32, x : x + 32]
        if "flip" in side.ops and np.random.rand() < 0.5:
            image = image[:, ::-1]
        pixels = image.astype(np.float32) / (1 if side.raw else 255)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return _finished(_normalized(tensor, side), side)

    return Images(data, prepare), None, None


def in_collate(data: Arrays, side: Side) -> Rendered:
    """Raw arrays from the data set; everything else in the collate function."""

    def collate(samples: list[Any]) -> tuple[Tensor, Tensor]:
        images = torch.stack([torch.from_numpy(image) for image, _ in samples]).permute(0, 3, 1, 2)
        batch = _augmented(_normalized(images.float() / (1 if side.raw else 255), side), side.ops)
        return torch.stack([_finished(x, side) for x in batch]), torch.tensor([label for _, label in samples])

    return Images(data, lambda image: image), collate, None


def on_device(data: Arrays, side: Side) -> Rendered:
    """Normalized tensors in memory; crop and flip on whole batches, on the device."""

    def prepare(image: Any) -> Tensor:
        tensor = torch.from_numpy(image).permute(2, 0, 1).float() / (1 if side.raw else 255)
        return _finished(_normalized(tensor, side), side)

    augment = (lambda batch: _augmented(batch, side.ops)) if side.ops else None
    return Images(data, prepare), None, augment


def _normalized(images: Tensor, side: Side) -> Tensor:
    for _ in range(0 if side.mean is None or side.raw else 1 + side.twice):
        images = (images - torch.tensor(side.mean)[:, None, None]) / torch.tensor(side.std)[:, None, None]
    return images


def _augmented(batch: Tensor, ops: tuple[str, ...]) -> Tensor:
    if "crop" in ops:
        padded = torch.nn.functional.pad(batch, (4, 4, 4, 4), mode="reflect")
        shifts = torch.randint(0, 9, (len(batch), 2)).tolist()
        batch = torch.stack([p[:, y : y + 32, x : x + 32] for p, (y, x) in zip(padded, shifts, strict=True)])
    if "flip" in ops:
        batch = torch.where((torch.rand(len(batch)) < 0.5)[:, None, None, None], batch.flip(3), batch)
    return batch


def _finished(tensor: Tensor, side: Side) -> Tensor:
    for function in side.after:
        tensor = function(tensor)
    return tensor


STYLES: dict[str, Callable[[Arrays, Side], Rendered]] = {
    "v1": v1,
    "v2": with_v2,
    "albumentations": with_albumentations,
    "numpy": with_numpy,
    "collate": in_collate,
    "device": on_device,
}
# The evaluation side of `device` applies its ops, if a fault gives it any, in the data set.
EVALUATE = {"device": "numpy"}
