"""Faults of the data injected into the cured ResNet's pipeline, and the pipelines of well-known recipes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from cases import CROP, FLIP, HEALTHY, MEAN, NORMALIZE, STD, Cached, Case
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, SubsetRandomSampler, TensorDataset
from torchvision import transforms as T
from torchvision.transforms import v2

from trainingdoctor import Training

TENSOR = [T.ToTensor(), NORMALIZE]
Spoil = Callable[[Training], Training]
RNG = np.random.default_rng(0)


class Noise:
    """Gaussian noise on a tensor."""

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.deviation * torch.randn_like(x)


class Cutout:
    """A square of `side` set to zero, its centre anywhere (DeVries & Taylor 2017)."""

    def __init__(self, side: int) -> None:
        self.half = side // 2

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        y, z = random.randrange(x.shape[1]), random.randrange(x.shape[2])
        x[:, max(0, y - self.half) : y + self.half, max(0, z - self.half) : z + self.half] = 0
        return x


class Swapped:
    """BGR for RGB."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.flip(0)


class Wrapped(Dataset):
    """Another data set's samples through a function of image, label and index."""

    def __init__(self, inner: Dataset, change: Callable[[Any, int, int], Any]) -> None:
        self.inner, self.change = inner, change

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, i: int) -> Any:
        image, label = self.inner[i]
        return self.change(image, label, i)


class Handmade(Dataset):
    """Images kept as an array; pads, crops, mirrors and normalizes in __getitem__, without torchvision."""

    def __init__(self, images: np.ndarray, labels: list[int], train: bool) -> None:
        self.images, self.labels, self.augment = images, labels, train

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> Any:
        image = self.images[i]
        if self.augment:
            y, x = np.random.randint(0, 9, 2)
            image = np.pad(image, ((4, 4), (4, 4), (0, 0)))[y : y + 32, x : x + 32]
            image = image[:, ::-1] if np.random.rand() < 0.5 else image
        image = (image / 255 - MEAN) / STD
        return torch.from_numpy(image.transpose(2, 0, 1).copy()).float(), self.labels[i]


def base(train: list[Any] | None = None) -> Training:
    """The cured training with other training transforms."""
    return (replace(Case(depth=20), train=train) if train else Case(depth=20)).build()


def loaders(training: Training, train: Dataset | None = None, evaluation: Dataset | None = None) -> Training:
    """The training with other data sets behind the loaders."""
    changes: dict[str, Any] = {}
    if train is not None:
        changes["train_loader"] = DataLoader(train, batch_size=128, shuffle=True)
    if evaluation is not None:
        changes["val_loader"] = DataLoader(evaluation, batch_size=256)
    return replace(training, **changes)


def sets(training: Training) -> tuple[Any, Any]:
    """Both data sets."""
    return training.train_loader.dataset, training.val_loader.dataset


def augmented(*train: Any) -> Callable[[], Training]:
    """Training transforms."""
    return lambda: base(list(train))


def relabelled(share: float, flip: bool = False) -> Callable[[], Training]:
    """Some training labels drawn anew, or moved on by one class."""

    def build() -> Training:
        training = base()
        data, _ = sets(training)
        labels = np.array(data.targets)
        chosen = np.random.default_rng(1).random(len(labels)) < share
        other = (labels + 1) % 10 if flip else np.random.default_rng(2).integers(0, 10, len(labels))
        data.targets = np.where(chosen, other, labels).tolist()
        return training

    return build


def shuffled_pairs() -> Training:
    """Labels of other samples, through a wrapper."""
    training = base()
    data, _ = sets(training)
    other = np.random.default_rng(3).permutation(len(data))
    return loaders(training, Wrapped(data, lambda image, _, i: (image, data.targets[other[i]])))


def shuffled_evaluation() -> Training:
    training = base()
    _, data = sets(training)
    data.targets = np.random.default_rng(3).permutation(data.targets).tolist()
    return training


def renumbered(names: list[int]) -> Callable[[], Training]:
    def build() -> Training:
        training = base()
        _, data = sets(training)
        data.targets = [names[t] for t in data.targets]
        return training

    return build


def overlapping_classes() -> Training:
    """DeepCrime's class overlap: copies of most of one class's images under the label of another."""
    training = base()
    data, _ = sets(training)
    rows = np.flatnonzero(np.array(data.targets) == 0)[:3000]
    data.data = np.concatenate([data.data, data.data[rows]])
    data.targets = data.targets + [1] * len(rows)
    return training


def repeated() -> Training:
    """DeepMutation's repetition: samples drawn with replacement from a third of the data."""
    training = base()
    data, _ = sets(training)
    return loaders(training, Subset(data, np.random.default_rng(4).integers(0, len(data) // 3, len(data)).tolist()))


def evaluation_from_training() -> Training:
    training = base()
    data, _ = sets(training)
    plain = type(data)(data.root, train=True, transform=T.Compose(TENSOR))
    return loaders(training, evaluation=Subset(plain, range(0, len(plain), 5)))


def one_set_for_both() -> Training:
    training = base(TENSOR)
    return loaders(training, evaluation=sets(training)[0])


def contaminated(share: float) -> Callable[[], Training]:
    """The test set, part of which was added to the training set."""

    def build() -> Training:
        training = base()
        data, test = sets(training)
        count = int(share * len(test))
        data.data, data.targets = np.concatenate([data.data, test.data[:count]]), data.targets + test.targets[:count]
        return training

    return build


def two_random_splits() -> Training:
    """A validation split by another seed than the training split."""
    training = base()
    data, _ = sets(training)
    order, other = np.random.default_rng(5).permutation(50_000), np.random.default_rng(6).permutation(50_000)
    return loaders(training, Subset(data, order[:45_000].tolist()), Subset(data, other[45_000:].tolist()))


def noisy(deviation: float) -> Callable[[], Training]:
    """Noise in the stored training images, in units of their deviation (64 of 255)."""

    def build() -> Training:
        training = base()
        data, _ = sets(training)
        noise = np.random.default_rng(7).normal(0, 64 * deviation, data.data.shape)
        data.data = (data.data + noise).clip(0, 255).astype(np.uint8)
        return training

    return build


def changed(change: Callable[[torch.Tensor], torch.Tensor], both: bool = True) -> Callable[[], Training]:
    """Images after ToTensor and Normalize through a function, in training or in both sets."""

    def build() -> Training:
        training = base()
        train, test = (Wrapped(d, lambda image, label, _: (change(image), label)) for d in sets(training))
        return loaders(training, train, test if both else None)

    return build


def viewed(x: torch.Tensor) -> torch.Tensor:
    return x.permute(1, 2, 0).reshape(3, 32, 32)


def stored_swapped() -> Training:
    """Training images written as BGR, with normalization by their own statistics."""
    training = base([CROP, FLIP, T.ToTensor(), T.Normalize(MEAN[::-1], STD[::-1])])
    data, _ = sets(training)
    data.data = data.data[..., ::-1].copy()
    return training


FAULTS: dict[str, tuple[str, Callable[[], Training]]] = {
    "labels drawn anew": ("labels.shuffled", relabelled(1.0)),
    "labels of other samples": ("labels.shuffled", shuffled_pairs),
    "evaluation labels shuffled": ("labels.shuffled", shuffled_evaluation),
    "60 % wrong labels": ("labels.noise", relabelled(0.6)),
    "40 % wrong labels": ("labels.noise", relabelled(0.4)),
    "30 % wrong labels": ("labels.noise", relabelled(0.3)),
    "20 % wrong labels": ("labels.noise", relabelled(0.2)),
    "30 % moved by one class": ("labels.noise", relabelled(0.3, flip=True)),
    "evaluation classes reversed": ("labels.train_eval_mismatch", renumbered(list(range(9, -1, -1)))),
    "evaluation classes shifted after the fourth": (
        "labels.train_eval_mismatch",
        renumbered([0, 1, 2, 3, 9, 4, 5, 6, 7, 8]),
    ),
    "overlapping classes": ("labels.conflicting", overlapping_classes),
    "evaluation from the training set": ("data.leakage", evaluation_from_training),
    "one data set for both": ("data.leakage", one_set_for_both),
    "half of the test set in training": ("data.leakage", contaminated(0.5)),
    "a tenth of the test set in training": ("data.leakage", contaminated(0.1)),
    "two random splits": ("data.leakage", two_random_splits),
    "drawn from a third with replacement": ("data.duplicates", repeated),
    "noise in the data, 1": ("data.noise", noisy(1.0)),
    "noise in the data, 3": ("data.noise", noisy(3.0)),
    "noise transform, 1": ("data.noise", augmented(CROP, FLIP, *TENSOR, Noise(1.0))),
    "noise transform, 5": ("data.noise", augmented(CROP, FLIP, *TENSOR, Noise(5.0))),
    "rows as channels": ("data.channel_order", changed(lambda x: x.permute(1, 2, 0))),
    "view for permute": ("data.channel_order", changed(viewed)),
    "BGR in training": ("data.channel_order", augmented(CROP, FLIP, T.ToTensor(), Swapped(), NORMALIZE)),
    "BGR stored in training": ("data.channel_order", stored_swapped),
    "erasing 80 to 95 %": (
        "augmentation.too_strong",
        augmented(CROP, FLIP, *TENSOR, T.RandomErasing(1.0, (0.8, 0.95), (0.8, 1.2))),
    ),
    "crops of 1 %": ("augmentation.too_strong", augmented(T.RandomResizedCrop(32, (0.005, 0.02)), FLIP, *TENSOR)),
    "crops of 5 %": ("augmentation.too_strong", augmented(T.RandomResizedCrop(32, (0.02, 0.08)), FLIP, *TENSOR)),
    "rotation and blur": (
        "augmentation.too_strong",
        augmented(CROP, FLIP, T.RandomRotation(180), T.GaussianBlur(15, (4.0, 8.0)), *TENSOR),
    ),
    "blur": ("augmentation.too_strong", augmented(CROP, FLIP, T.GaussianBlur(15, 4.0), *TENSOR)),
    "jitter after normalization": ("augmentation.order", augmented(CROP, FLIP, *TENSOR, T.ColorJitter(0.4, 0.4))),
    "crop without padding": ("augmentation.order", augmented(T.RandomCrop(32), FLIP, *TENSOR)),
    "probabilities of 0": ("augmentation.order", augmented(T.RandomHorizontalFlip(0), *TENSOR, T.RandomErasing(0))),
}


def split(training: Training) -> Training:
    """Validation split off the training set, by samplers on two data sets over the same files."""
    data, _ = sets(training)
    plain = type(data)(data.root, train=True, transform=T.Compose(TENSOR))
    order = np.random.default_rng(0).permutation(50_000).tolist()
    return replace(
        training,
        train_loader=DataLoader(data, 128, sampler=SubsetRandomSampler(order[5000:])),
        val_loader=DataLoader(plain, 256, sampler=SubsetRandomSampler(order[:5000])),
    )


def handmade() -> Training:
    training = base()
    train, test = sets(training)
    return loaders(training, Handmade(train.data, train.targets, True), Handmade(test.data, test.targets, False))


def collated(mix: type[Any]) -> Callable[[], Training]:
    """MixUp or CutMix in the collate function."""

    def build() -> Training:
        training, mixer = base(), mix(num_classes=10)

        def collate(samples: list[Any]) -> Any:
            return mixer(*torch.utils.data.default_collate(samples))

        data, _ = sets(training)
        return replace(training, train_loader=DataLoader(data, 128, shuffle=True, collate_fn=collate))

    return build


def on_device() -> Training:
    """Crop and flip of a whole batch at a time."""

    def augment(x: torch.Tensor) -> torch.Tensor:
        y, z = torch.randint(0, 9, (2,)).tolist()
        x = torch.nn.functional.pad(x, (4,) * 4, mode="reflect")[:, :, y : y + 32, z : z + 32]
        return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)

    return replace(base(TENSOR), augment_on_device=augment)


def in_memory() -> Training:
    """Normalized tensors, crop and flip on the device."""
    training = on_device()
    made = []
    for data in sets(training):
        images = torch.from_numpy(data.data).permute(0, 3, 1, 2).float() / 255
        images = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        made.append(TensorDataset(images, torch.tensor(data.targets)))
    return loaders(training, *made)


def long_tailed(resampled: bool) -> Callable[[], Training]:
    """Class frequencies from 50 to 1, rare ones repeated or not."""

    def build() -> Training:
        training = base()
        data, _ = sets(training)
        labels, rows = np.array(data.targets), []
        for c in range(10):
            of_class = np.flatnonzero(labels == c)[: int(5000 * 50 ** (-c / 9))]
            rows += (RNG.choice(of_class, 5000) if resampled and c else of_class).tolist()
        return loaders(training, Subset(data, rows))

    return build


def twice(training: Training) -> Training:
    return loaders(training, ConcatDataset([sets(training)[0]] * 2))


def small(training: Training) -> Training:
    train, test = sets(training)
    return loaders(training, Subset(train, range(1000)), Subset(test, range(500)))


def grey(training: Training) -> Training:
    return loaders(
        training, *(Wrapped(d, lambda image, label, _: (image.mean(0, keepdim=True), label)) for d in sets(training))
    )


def nothing_to_see(training: Training) -> Training:
    """White noise with random labels: no classifier sees anything in either set."""
    made = (TensorDataset(torch.randn(n, 3, 32, 32), torch.randint(0, 10, (n,))) for n in (4000, 2000))
    return loaders(training, *made)


SIMCLR = [
    T.RandomResizedCrop(32, (0.08, 1.0)),
    FLIP,
    T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8),
    T.RandomGrayscale(0.2),
    T.GaussianBlur(3, (0.1, 2.0)),
]
IMAGENET = [T.RandomResizedCrop(32, (0.08, 1.0)), FLIP, T.RandAugment(2, 9)]

PIPELINES: dict[str, Callable[[], Training]] = {
    **{
        f"bench: {name}": (lambda changes=changes: replace(Case(depth=20), **changes).build())
        for name, changes in HEALTHY.items()
    },
    "RandAugment": augmented(CROP, FLIP, T.RandAugment(), *TENSOR),
    "RandAugment 3, 15": augmented(CROP, FLIP, T.RandAugment(3, 15), *TENSOR),
    "TrivialAugment, Cutout 16": augmented(CROP, FLIP, T.TrivialAugmentWide(), *TENSOR, Cutout(16)),
    "AutoAugment, Cutout 16": augmented(CROP, FLIP, T.AutoAugment(T.AutoAugmentPolicy.CIFAR10), *TENSOR, Cutout(16)),
    "AugMix": augmented(CROP, FLIP, T.AugMix(), *TENSOR),
    "ColorJitter 0.4": augmented(CROP, FLIP, T.ColorJitter(0.4, 0.4, 0.4, 0.1), *TENSOR),
    "hue 0.5, greyscale": augmented(CROP, FLIP, T.ColorJitter(0.4, 0.4, 0.4, 0.5), T.RandomGrayscale(0.2), *TENSOR),
    "erasing, always": augmented(CROP, FLIP, *TENSOR, T.RandomErasing(1.0)),
    "erasing with noise, always": augmented(CROP, FLIP, *TENSOR, T.RandomErasing(1.0, value="random")),
    "RandomResizedCrop 0.08": augmented(T.RandomResizedCrop(32), FLIP, *TENSOR),
    "ImageNet recipe": augmented(*IMAGENET, *TENSOR, T.RandomErasing(0.25, value="random")),
    "SimCLR": augmented(*SIMCLR, *TENSOR),
    "rotation 180": augmented(CROP, FLIP, T.RandomRotation(180), *TENSOR),
    "affine": augmented(T.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), 10), FLIP, *TENSOR),
    "noise of 0.1": augmented(CROP, FLIP, T.ToTensor(), Noise(0.1), NORMALIZE),
    "crop after normalization": augmented(*TENSOR, CROP, FLIP),
    "transforms v2": augmented(
        v2.ToImage(),
        v2.RandomCrop(32, padding=4),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ),
    "colour contrast, no flip": augmented(CROP, T.RandomAutocontrast(), T.RandomEqualize(0.1), *TENSOR),
    "MixUp": collated(v2.MixUp),
    "CutMix": collated(v2.CutMix),
    "on the device": on_device,
    "in memory, on the device": in_memory,
    "by hand in __getitem__": handmade,
    "split by samplers": lambda: split(base()),
    "long tail": long_tailed(False),
    "long tail, rare classes repeated": long_tailed(True),
    "data set twice": lambda: twice(base()),
    "1,000 samples": lambda: small(base()),
    "grey": lambda: grey(base()),
    "white noise": lambda: nothing_to_see(base()),
    "augmented copies kept": lambda: loaders(base(), Cached(sets(base())[0])),
    "5 % wrong labels": relabelled(0.05),
    "1 % of the test set in training": contaminated(0.009),
}
