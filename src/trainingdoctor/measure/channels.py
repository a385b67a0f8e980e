"""The axes of image batches, and the order of their colour channels."""

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, forward, tensors
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.images import image_tensor, statistics


@dataclass(frozen=True)
class ImageLayout:
    """shape: of the image batch.  reaches: the shape in which images reach the first convolution, None without one.

    wants: the channels that it takes.  adjacent: correlation of adjacent values along the axis where `apart` exceeds
    it most.  apart: the same at a distance of one pixel's channels, or of a third of the side, where neighbours lie
    after a view() that should have been a permute().  dip: by how much values at such a distance resemble each other more than all
    half way do, along the axis where that is less; below 0 for pictures, which differ the more the farther apart.
    """

    shape: tuple[int, ...]
    reaches: tuple[int, ...] | None
    wants: int | None
    adjacent: float
    apart: float
    dip: float = 0.0

    @property
    def channels_last(self) -> bool:
        """Whether the images go into the convolution as N, H, W, C."""
        return self.reaches is not None and self.reaches == self.shape and _is_channels_last(self.shape)


def _is_channels_last(shape: tuple[int, ...]) -> bool:
    return shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4) and shape[2] > 4


@dataclass(frozen=True)
class ColourContrast:
    """How red and blue differ in one respect: the mean over images, and its standard error, in both loaders."""

    name: str
    train: float
    train_error: float
    evaluation: float
    evaluation_error: float

    @property
    def clear(self) -> float:
        """Standard errors by which the evaluation's contrast, the training's and their difference differ from zero."""
        difference = abs(self.train - self.evaluation) / math.hypot(self.train_error, self.evaluation_error)
        return min(abs(self.evaluation) / self.evaluation_error, abs(self.train) / self.train_error, difference)

    @property
    def ratio(self) -> float:
        """1 when both loaders agree, -1 when red and blue are swapped in one of them."""
        return self.train / self.evaluation if self.evaluation else 1.0


@dataclass(frozen=True)
class ChannelOrder:
    """contrasts: level and skewness, first against last channel; None where there are no colour images to compare."""

    layout: ImageLayout
    contrasts: tuple[ColourContrast, ColourContrast] | None


@evidence(cost="probe", optional=("model", "val_batches"))
def channel_order(
    train_batches: tuple[Batch, ...], model: nn.Module | None, val_batches: tuple[Batch, ...] | None
) -> ChannelOrder:
    """Look at the axes of the training images, and at their colours against those of the evaluation images."""
    layout = image_layout(train_batches, model)
    if val_batches is None or _is_channels_last(layout.shape):
        return ChannelOrder(layout, None)
    return ChannelOrder(layout, colour_contrasts(image_tensor(train_batches), image_tensor(val_batches)))


def image_layout(train_batches: tuple[Batch, ...], model: nn.Module | None) -> ImageLayout:
    """Look at the axes of a training batch, and at what the model's first convolution is given.

    Raises Unavailable for inputs that are no images.
    """
    batch = train_batches[0]
    image = next((t for t in tensors(batch.inputs) if t.ndim == 4), None)
    if image is None:
        raise Unavailable("the inputs are no images (no tensor of four dimensions)")
    first, reaches = (None, None) if model is None else _first_convolution(model, batch.first(2))
    pictures = image[:64].detach().float().cpu()
    adjacent, apart, dip = _correlations(pictures.permute(0, 3, 1, 2) if _is_channels_last(image.shape) else pictures)
    return ImageLayout(
        shape=tuple(image[:2].shape),
        reaches=reaches,
        wants=None if first is None else first.in_channels,
        adjacent=adjacent,
        apart=apart,
        dip=dip,
    )


def _first_convolution(model: nn.Module, batch: Batch) -> tuple[nn.Conv2d | None, tuple[int, ...] | None]:
    """The first convolution that runs, and the shape it gets. What the forward raises is another check's matter."""
    seen: list[tuple[nn.Conv2d, tuple[int, ...]]] = []

    def look(module: nn.Module, args: tuple[Any, ...]) -> None:
        if isinstance(module, nn.Conv2d) and args and isinstance(args[0], Tensor):
            seen.append((module, tuple(args[0].shape)))

    hooks = (m.register_forward_pre_hook(look) for m in model.modules() if isinstance(m, nn.Conv2d))
    with suppress(UserCodeError), attached(hooks), torch.no_grad():
        forward(model, batch)
    return seen[0] if seen else (None, None)


def _correlations(images: Tensor) -> tuple[float, float, float]:
    """Of adjacent values, of those that a view in place of a permute has put apart, and the dip between."""
    x = images - images.mean((2, 3), keepdim=True)
    variance = (x * x).mean((1, 2, 3)).clamp(min=1e-12)
    channels = x.shape[1]
    pairs, dips = [], []
    for axis in (2, 3):
        size = x.shape[axis]
        distances = [d for d in (channels, size // channels, size // channels + 1) if 2 <= d < size]
        looked_at = {1, *distances, *(m for d in distances for m in _middle(d))}
        at = {d: _at_distance(x, axis, d, variance) for d in looked_at if d < size}
        pairs.append((at.get(1, 1.0), max((at[d] for d in distances), default=0.0)))
        dips.append(max((at[d] - max(at[m] for m in _middle(d)) for d in distances), default=0.0))
    adjacent, apart = max(pairs, key=lambda pair: pair[1] - pair[0])
    return adjacent, apart, min(dips)


def _middle(distance: int) -> range:
    """Those from a third to two thirds of a distance. A texture that repeats has its peaks there, too."""
    return range(math.ceil(distance / 3), 2 * distance // 3 + 1)


def _at_distance(x: Tensor, axis: int, distance: int, variance: Tensor) -> float:
    size = x.shape[axis] - distance
    product = x.narrow(axis, 0, size) * x.narrow(axis, distance, size)
    return float((product.mean((1, 2, 3)) / variance).median())


def colour_contrasts(train: Tensor, evaluation: Tensor) -> tuple[ColourContrast, ColourContrast] | None:
    """Compare the first with the last channel of 64 images and more: level and skewness, 0 black and 1 white."""
    if train.shape[1] != 3 or evaluation.shape[1] != 3 or min(len(train), len(evaluation)) < 64:
        return None
    t, v = _contrasts(_unit(train)), _contrasts(_unit(evaluation))
    level, skewness = (
        ColourContrast(name, *_mean_and_error(a), *_mean_and_error(b))
        for name, a, b in zip(("level", "skewness"), t, v, strict=True)
    )
    return level, skewness


def _unit(images: Tensor) -> Tensor:
    """Each channel from 0 for black to 1 for white, whatever Normalize made of them."""
    found = statistics(images)
    low, span = torch.tensor(found.low), torch.tensor(found.span).clamp(min=1e-6)
    return (images - low[:, None, None]) / span[:, None, None]


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std()) / len(values) ** 0.5 + 1e-9


def _contrasts(images: Tensor) -> tuple[Tensor, Tensor]:
    """Level and skewness per image: they change their sign when red and blue are swapped."""
    flat = images.flatten(2)
    centred = flat - flat.mean(2, keepdim=True)
    skew = (centred**3).mean(2) / (centred.std(2) + 1e-6) ** 3
    level = flat.mean(2)
    return level[:, 0] - level[:, 2], skew[:, 0] - skew[:, 2]
