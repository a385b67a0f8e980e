"""Some thousand training and evaluation samples without their augmentation, with labels: small enough to compare."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.budget import Budget
from trainingdoctor.measure.indices import indices_of
from trainingdoctor.measure.plain import class_of, indexable, plain, sample

# Images are compared at this side: CIFAR's own, and enough to tell classes far better than chance.
SIDE = 32


@dataclass(frozen=True)
class Samples:
    """Samples drawn at random. inputs: images (N, C, 32, 32) as `comparable` makes them, or vectors (N, D).

    labels: class indices (N).  keys: equal for samples that are equal byte for byte.  raw: transforms were found and left out, so that these are
    the images as stored.  varies: two draws of one sample differed nevertheless.  smoothness: median correlation of
    adjacent pixels at the original size, None for vectors.
    """

    inputs: Tensor
    labels: Tensor
    indices: tuple[int, ...]
    keys: tuple[int, ...]
    raw: bool
    varies: bool
    smoothness: float | None

    @property
    def images(self) -> bool:
        """Whether the inputs are images."""
        return self.inputs.ndim == 4


@evidence(cost="probe")
def plain_train(train_loader: Any, *, count: int = 5000, seconds: float = 2.0) -> Samples:
    """Up to `count` training samples without augmentation, as many as can be read in `seconds`."""
    return read_samples(indexable(train_loader), indices_of(train_loader), count, seconds)


@evidence(cost="probe")
def plain_eval(val_loader: Any, *, count: int = 5000, seconds: float = 2.0) -> Samples:
    """The same of the evaluation set."""
    return read_samples(indexable(val_loader), indices_of(val_loader), count, seconds)


def read_samples(dataset: Any, indices: Sequence[int], count: int, seconds: float) -> Samples:
    """Read a random choice of `indices`, without transforms where they can be left out.

    Raises Unavailable for samples without a class label, and for inputs that are neither images nor vectors.
    """
    if len(indices) < 20:
        raise Unavailable(f"{len(indices)} samples: too few")
    # A generator of its own, always the same: the choice must not depend on what was measured before.
    order = np.random.default_rng(0).permutation(indices)[:count].tolist()
    with plain(dataset) as stand_in, _blamed(stand_in is None):
        varies = any(not torch.equal(sample(dataset, i)[0], sample(dataset, i)[0]) for i in order[:8])
        drawn = list(_draw(dataset, order, seconds))
    inputs = [d.value for d in drawn]
    smooth = [d.smoothness for d in drawn if d.smoothness is not None]
    return Samples(
        inputs=comparable(inputs) if smooth else torch.nan_to_num(torch.stack(inputs), posinf=0.0, neginf=0.0),
        labels=torch.tensor([d.label for d in drawn]),
        indices=tuple(order[: len(drawn)]),
        keys=tuple(d.key for d in drawn),
        raw=stand_in is not None,
        varies=varies,
        smoothness=float(np.median(smooth)) if smooth else None,
    )


@contextmanager
def _blamed(as_it_is: bool) -> Iterator[None]:
    """Where the data set was read as it is, what it raised is its own error."""
    try:
        yield
    except Unavailable as unavailable:
        if as_it_is and isinstance(unavailable.__cause__, UserCodeError):
            raise unavailable.__cause__ from None
        raise


@dataclass(frozen=True)
class _Drawn:
    """One sample, an image made small at once: thousands of large ones do not fit into memory."""

    value: Tensor
    label: int
    key: int
    smoothness: float | None


def _draw(dataset: Any, order: Sequence[int], seconds: float) -> Iterator[_Drawn]:
    budget = Budget(seconds)
    first: Tensor | None = None
    for number, index in enumerate(order):
        value, target = sample(dataset, index)
        label = class_of(target)
        if label is None:
            raise Unavailable("the samples have no class label")
        first = value if first is None else first
        _check_form(value, first)
        image = value.ndim >= 2
        yield _Drawn(
            value=resized(value) if image else value.float(),
            label=label,
            key=key_of(value),
            smoothness=smoothness(value) if image and number < 300 else None,
        )
        if budget.spent:
            break


def _check_form(value: Tensor, first: Tensor) -> None:
    image = value.ndim == 2 or (value.ndim == 3 and value.shape[0] <= 16)
    image = image and min(value.shape[-2:]) >= 8
    vector = value.ndim == 1 and value.is_floating_point() and value.shape == first.shape
    # Grey images among colour ones do not stack.
    same = value.ndim == first.ndim and (value.ndim < 3 or value.shape[0] == first.shape[0])
    if not same or not (image or vector):
        raise Unavailable(f"a sample of shape {tuple(value.shape)} and {value.dtype} is neither an image nor a vector")


def comparable(images: Sequence[Tensor]) -> Tensor:
    """Images (C, 32, 32) as one tensor that can be compared with others.

    Each channel is brought to mean 0 and deviation 1 over all images, so that it does not matter which Normalize they
    went through; then each image, so that brightness and contrast do not, while its colour stays.
    """
    small = torch.nan_to_num(torch.stack(list(images)), posinf=0.0, neginf=0.0)
    some = small[:500].transpose(0, 1).flatten(1)
    small.sub_(some.mean(1)[:, None, None]).div_(some.std(1)[:, None, None] + 1e-6)
    small.sub_(small.mean((1, 2, 3), keepdim=True))
    return small.div_(small.flatten(1).norm(dim=1)[:, None, None, None] / small[0].numel() ** 0.5 + 1e-3)


def resized(image: Tensor) -> Tensor:
    """An image (C, H, W) or (H, W) as (C, 32, 32)."""
    image = image if image.ndim == 3 else image[None]
    if tuple(image.shape[1:]) == (SIDE, SIDE):
        return image.float()
    # Area averaging only shrinks: bilinear steps in for small images.
    mode = "area" if min(image.shape[1:]) >= SIDE else "bilinear"
    return functional.interpolate(image[None].float(), size=(SIDE, SIDE), mode=mode)[0]


def key_of(value: Tensor) -> int:
    """A number that is equal for equal tensors, and hardly ever for others. Holds within one process."""
    array = value.contiguous().numpy()
    return hash((array.shape, array.dtype.str, array.tobytes()))


def smoothness(image: Tensor) -> float:
    """Correlation of horizontally and vertically adjacent values: 0.9 and more in photographs, 0 in white noise."""
    x = (image if image.ndim == 3 else image[None]).float()
    x = x - x.mean((1, 2), keepdim=True)
    variance = float((x * x).mean())
    if variance < 1e-12:
        return 1.0
    across, down = float((x[:, :, 1:] * x[:, :, :-1]).mean()), float((x[:, 1:] * x[:, :-1]).mean())
    return (across + down) / 2 / variance
