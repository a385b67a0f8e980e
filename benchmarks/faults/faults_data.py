"""Faults of the data: augmentation, normalization, content, labels, loaders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from data import MEAN, STD, Cached, OwnGenerator, Relabelled, Reseeded
from fault import Fault, both, change, fault
from images import Arrays, arrays
from torch import Tensor

IMAGES = "conv"


def pick(choose: Callable[[np.ndarray], Any]) -> Callable[[Arrays], Arrays]:
    """A change of the training set: keep the samples whose indices `choose` gives for the labels."""

    def apply(data: Arrays) -> Arrays:
        at = np.asarray(choose(data[1]))
        return data[0][at], data[1][at]

    return apply


def share_of(share: float) -> Callable[[Arrays], Arrays]:
    return pick(lambda y: np.arange(int(share * len(y))))


def one_rare(y: np.ndarray, kept: int = 100) -> Any:
    return np.sort(np.concatenate([np.flatnonzero(y == 0)[:kept], np.flatnonzero(y != 0)]))


def long_tail(y: np.ndarray, ratio: float = 50.0) -> Any:
    """Exponentially fewer samples from class to class (Cui et al. 2019)."""
    counts = [int(np.sum(y == c) * ratio ** (-c / 9)) for c in range(10)]
    return np.sort(np.concatenate([np.flatnonzero(y == c)[: counts[c]] for c in range(10)]))


def relabelled(share: float) -> Callable[[Arrays], Arrays]:
    """A share of the labels drawn anew."""

    def apply(data: Arrays) -> Arrays:
        random, labels = np.random.default_rng(0), data[1].copy()
        at = random.random(len(labels)) < share
        labels[at] = random.integers(0, 10, int(at.sum()))
        return data[0], labels

    return apply


def noisy(strength: float) -> Callable[[Arrays], Arrays]:
    """Gaussian noise on the pixels of the training images, the first 10,000 of them kept."""

    def apply(data: Arrays) -> Arrays:
        images = data[0][:10_000].astype(np.float32)
        images += np.random.default_rng(0).normal(0, strength, images.shape)
        return images.clip(0, 255).astype(np.uint8), data[1][:10_000]

    return apply


def repeated(data: Arrays) -> Arrays:
    """Drawn with replacement from a tenth of the images."""
    at = np.random.default_rng(0).integers(0, len(data[1]) // 10, len(data[1]))
    return data[0][at], data[1][at]


def two_labels(data: Arrays) -> Arrays:
    """Half of two classes copied into each other's class."""
    images, labels = data
    cats, dogs = np.flatnonzero(labels == 3), np.flatnonzero(labels == 5)
    extra = np.concatenate([cats[: len(cats) // 2], dogs[: len(dogs) // 2]])
    return np.concatenate([images, images[extra]]), np.concatenate([labels, 8 - labels[extra]])


def from_training(data: Arrays) -> Arrays:
    """The evaluation set is part of the training set."""
    images, labels = arrays(True)
    return images[:5000], labels[:5000]


def half_from_training(data: Arrays) -> Arrays:
    images, labels = arrays(True)
    return np.concatenate([data[0][:2500], images[:2500]]), np.concatenate([data[1][:2500], labels[:2500]])


def black(data: Arrays) -> Arrays:
    """Every fifth image failed to load."""
    images = data[0].copy()
    images[::5] = 0
    return images, data[1]


def poison(image: Tensor) -> Tensor:
    image = image.clone()
    image[0, 0, 0] = float("nan")
    return image


def bgr(image: Tensor) -> Tensor:
    return image.flip(0)


def clamped(image: Tensor) -> Tensor:
    return image.clamp(0, 1)


def as_bytes(image: Tensor) -> Tensor:
    return (image * 255).to(torch.uint8)


def sorted_by_class(y: np.ndarray) -> Any:
    return np.argsort(y, kind="stable")


def without_class(y: np.ndarray) -> Any:
    return np.flatnonzero(y != 3)


VARIANCE = {"std": tuple(s * s for s in STD)}
OF_BYTES = {"mean": tuple(255 * m for m in MEAN)}
DC, TD, UM = "DeepCrime", "TheDeepChecker", "UMLAUT"

FAULTS: tuple[Fault, ...] = (
    fault("augmentation removed", "augmentation.missing", change(train={"ops": ()}), without="flat", corpus=f"{TD} augmentation"),
    fault("flip only", "augmentation.weak", change(train={"ops": ("flip",)}), without="flat", strength="subtle"),
    fault("colour only", "augmentation.weak", change(train={"ops": ("colour",)}), bases=("resnet20", "vit", "resnet56"), strength="subtle"),
    fault("augmented test set", "augmentation.on_evaluation", change(test={"ops": ("crop", "flip")})),
    fault("test set flipped", "augmentation.on_evaluation", change(test={"ops": ("flip",)}), strength="subtle"),
    fault("augmentation cached", "augmentation.frozen", change(data={"wrap": Cached}), bases=("resnet20", "cnn", "vit", "wrn", "resnet110")),
    fault("reseeded per sample", "augmentation.frozen", change(data={"wrap": Reseeded}), bases=("resnet20", "cnn", "vit", "resnet56")),
    fault(
        "workers share a generator",
        "augmentation.same_in_workers",
        both(change(train={"ops": ()}), change(data={"wrap": OwnGenerator, "loader": {"shuffle": True, "num_workers": 2}})),
        bases=("resnet20", "cnn", "wrn"),
        corpus="TrainCheck workers sharing a NumPy seed",
    ),
    fault("crop to a hundredth", "augmentation.too_strong", change(train={"ops": ("tiny_crop",)}), bases=("resnet20", "vit", "resnet56", "resnet110")),
    fault("clamped after normalization", "augmentation.order", change(train={"after": (clamped,)}), bases=("resnet20", "cnn", "wrn", "vit"), also=("normalization.train_eval_mismatch",)),
    fault("flip with probability 0", "augmentation.order", change(train={"ops": ("never", "full_crop")}), bases=("resnet20", "vit", "resnet56"), also=("augmentation.missing", "augmentation.frozen"), consequences=("augmentation.missing",)),
    fault("not normalized (0..1)", "normalization.missing", both(change(train={"mean": None}), change(test={"mean": None})), needs="deep"),
    fault("raw pixels (0..255)", "normalization.missing", both(change(train={"raw": True}), change(test={"raw": True})), corpus=f"{UM} 0-255 input; {TD} missing normalization"),
    fault("normalized twice", "normalization.wrong_statistics", both(change(train={"twice": True}), change(test={"twice": True})), corpus=f"{TD} double normalization"),
    fault("variance for deviation", "normalization.wrong_statistics", both(change(train=VARIANCE), change(test=VARIANCE))),
    fault("mean of 0..255 on 0..1", "normalization.wrong_statistics", both(change(train=OF_BYTES), change(test=OF_BYTES))),
    fault("test set not normalized", "normalization.train_eval_mismatch", change(test={"mean": None})),
    fault("test set raw", "normalization.train_eval_mismatch", change(test={"raw": True})),
    fault("test set with 0.5 statistics", "normalization.train_eval_mismatch", change(test={"mean": (0.5,) * 3, "std": (0.5,) * 3}), strength="subtle"),
    fault("test set BGR", "data.channel_order", change(test={"after": (bgr,)}), also=("normalization.train_eval_mismatch",), strength="subtle"),
    fault("bytes", "data.dtype", both(change(train={"mean": None, "after": (as_bytes,)}), change(test={"mean": None, "after": (as_bytes,)})), without="flat", consequences=("normalization.missing", "training.raises")),
    fault("a fifth of the images black", "data.constant", change(train={"change": black}), consequences=("data.duplicates", "labels.noise", "data.noise")),
    fault("NaN in every image", "data.nonfinite", change(train={"after": (poison,)})),
    fault("sorted by class", "data.not_shuffled", both(change(train={"change": pick(sorted_by_class)}), change(data={"loader": {}}))),
    fault("not shuffled", "data.not_shuffled", change(data={"loader": {}}), strength="subtle"),
    fault("a fifth of the data", "data.subset", change(train={"change": share_of(0.2)}), bases=("resnet20", "vit", "mlp", "resnet56", "resnet110"), corpus=f"{DC} remove training data"),
    fault("60 % of the data", "data.subset", change(train={"change": share_of(0.6)}), bases=("resnet20", "vit", "mlp"), corpus=f"{DC} remove training data", strength="subtle"),
    fault("one rare class", "data.imbalance", change(train={"change": pick(one_rare)}), corpus=f"{DC} unbalance; {TD} unbalanced data"),
    fault("long tail", "data.imbalance", change(train={"change": pick(long_tail)}), consequences=("data.subset",), strength="subtle"),
    fault("a tenth, drawn with replacement", "data.duplicates", change(train={"change": repeated}), corpus=f"{DC} repeat"),
    fault("classes overlap", "labels.noise", change(train={"change": two_labels}), also=("data.duplicates", "labels.conflicting"), corpus=f"{DC} make classes overlap", strength="subtle"),
    fault("test set from training", "data.leakage", change(test={"change": from_training}), corpus=f"{UM} validation from training data"),
    fault("half the test set from training", "data.leakage", change(test={"change": half_from_training}), strength="subtle"),
    fault("all labels random", "labels.shuffled", change(train={"change": relabelled(1.0)}), corpus=f"{DC} relabel; {TD} labels", also=("labels.noise",)),
    fault("40 % of the labels random", "labels.noise", change(train={"change": relabelled(0.4)}), corpus=f"{DC} relabel", strength="subtle"),
    fault("noise on the training images", "data.noise", change(train={"change": noisy(60.0)}), corpus=f"{DC} add noise", consequences=("data.subset", "labels.noise")),
    fault("labels from 1", "labels.out_of_range", change(data={"wrap": Relabelled}), corpus=f"{TD} labels"),
    fault("a class left out", "labels.missing_class", change(train={"change": pick(without_class)})),
    fault("batches of 1", "batchnorm.small_batch", change(data={"batch_size": 1}), needs="bn", also=("loader.batch_size_one",)),
    fault("batches of 4", "batchnorm.small_batch", change(data={"batch_size": 4}), needs="bn", corpus=f"{DC} batch size", strength="subtle"),
    fault("batches of one sample", "loader.batch_size_one", change(data={"batch_size": 1}), without="bn", corpus=f"{DC} batching off"),
    fault("the whole set as one batch", "epochs.too_few", change(data={"batch_size": 50_000}), without="bn per-step", also=("loader.batch_size_huge",), corpus=f"{DC} batch size"),
    fault("a last batch of one", "loader.last_batch", change(train={"change": pick(lambda y: np.arange(len(y) - len(y) % 128 - 127))}), needs="bn", consequences=("data.subset",)),
    fault("drop_last drops a third", "loader.last_batch", both(change(train={"change": share_of(0.06)}), change(data={"batch_size": 2048, "loader": {"shuffle": True, "drop_last": True}})), bases=("cnn", "vgg", "wrn"), consequences=("data.subset", "epochs.too_few", "loader.batch_size_huge", "schedule.*")),
)  # fmt: skip
