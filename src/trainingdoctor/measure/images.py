"""Image batches: what values the channels have, in training and in evaluation."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, tensors

# Samples of fewer numbers may well have equal ones: (0, 0) and (1, 1) of two inputs.
LEAST_VALUES = 8


@dataclass(frozen=True)
class ChannelStatistics:
    """Per channel, over real batches: mean, std, and the 0.2 % and 99.8 % quantiles (low, high).

    Black and white map to the extremes whatever the augmentation does, so that the extremes tell the normalization
    apart from crops, erasing and colour. samples: how many images.  constant: images whose pixels are all equal.
    reconstructed: the targets are images of the same shape, as in an autoencoder.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    samples: int
    side: int
    constant: int
    integer_values: bool
    reconstructed: bool = False

    @property
    def channels(self) -> int:
        """3 for RGB."""
        return len(self.mean)

    @property
    def span(self) -> tuple[float, ...]:
        """Distance of the extremes per channel."""
        return tuple(h - low for h, low in zip(self.high, self.low, strict=True))


def image_tensor(batches: tuple[Batch, ...]) -> Tensor:
    """The images of some batches as one float tensor (N, C, H, W). Raises Unavailable where inputs are no images."""
    images = [_image(b) for b in batches]
    shape = images[0].shape[1:]
    return torch.cat([i.float().cpu() for i in images if i.shape[1:] == shape])


def _image(batch: Batch) -> Tensor:
    image = next((t for t in tensors(batch.inputs) if t.ndim == 4 and t.shape[1] in (1, 3, 4)), None)
    if image is None:
        raise Unavailable("the inputs are no images (no tensor of shape N, C, H, W with 1, 3 or 4 channels)")
    return image


def statistics(images: Tensor) -> ChannelStatistics:
    """Channel statistics of images (N, C, H, W)."""
    flat = images.transpose(0, 1).flatten(1)
    # torch.quantile is limited in size; every k-th value of a million is as good.
    thinned = flat[:, :: max(1, flat.shape[1] // 200_000)]
    low, high = torch.quantile(thinned, torch.tensor([0.002, 0.998]), dim=1)
    return ChannelStatistics(
        mean=tuple(flat.mean(1).tolist()),
        std=tuple(flat.std(1).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        samples=len(images),
        side=max(images.shape[2:]),
        constant=int((images.flatten(1).std(1) == 0).sum()),
        integer_values=bool((thinned == thinned.round()).all()) and float(high.max()) > 1,
    )


@evidence(cost="probe")
def train_images(train_batches: tuple[Batch, ...]) -> ChannelStatistics:
    """Channel statistics of the images that the model trains on."""
    first = train_batches[0]
    alike = isinstance(first.targets, Tensor) and first.targets.shape == _image(first).shape
    return replace(statistics(image_tensor(train_batches)), reconstructed=alike)


@evidence(cost="probe")
def val_images(val_batches: tuple[Batch, ...]) -> ChannelStatistics:
    """Channel statistics of the images that the model is evaluated on."""
    return statistics(image_tensor(val_batches))


@dataclass(frozen=True)
class InputHealth:
    """The drawn inputs: dtypes, NaN or infinite values, and the share of inputs without any variation.

    constant_on_evaluation: that share of the evaluation samples; None without any.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int, ...]
    nonfinite: int
    constant_share: float
    dictionary: bool
    constant_on_evaluation: float | None = None


@evidence(cost="probe", optional=("val_batches",))
def input_health(train_batches: tuple[Batch, ...], val_batches: tuple[Batch, ...] | None) -> InputHealth:
    """Look at the input tensors of the drawn batches; where a model takes images and numbers of classes, at the images."""
    found = [t for b in train_batches for t in tensors(b.inputs) if t.layout is torch.strided]
    if not found:
        raise Unavailable("the batches hold no input tensor")
    images = [t for t in found if t.ndim == 4]
    kinds = images or found
    floats = [t for t in found if t.is_floating_point()]
    return InputHealth(
        dtypes=tuple(dict.fromkeys(str(t.dtype).removeprefix("torch.") for t in kinds)),
        shape=tuple(kinds[0].shape),
        nonfinite=sum(int((~torch.isfinite(t)).sum()) for t in floats),
        constant_share=_constant_share(train_batches),
        dictionary=isinstance(train_batches[0].inputs, dict),
        constant_on_evaluation=_constant_share(val_batches) if val_batches else None,
    )


def _constant_share(batches: tuple[Batch, ...]) -> float:
    flat = torch.cat([_constant(b) for b in batches])
    share = float(flat.float().mean()) if len(flat) else 0.0
    # All of them alike is no chance.
    return share if share == 1 or not _are_few(batches[0]) else 0.0


def _are_few(batch: Batch) -> bool:
    return all(t[0].numel() < LEAST_VALUES for t in tensors(batch.inputs) if t.layout is torch.strided and t.ndim >= 2)


def _constant(batch: Batch) -> Tensor:
    """For each sample, whether all its inputs are constant: a mask of ones beside varying tokens is not."""
    dense = [t for t in tensors(batch.inputs) if t.layout is torch.strided and t.ndim >= 2]
    found = [t for t in dense if t[0].numel() > 1 and len(t) == batch.size]
    # A black image is constant in each channel; after Normalize the channels differ.
    rows = [t.flatten(2) if t.ndim == 4 else t.flatten(1)[:, None] for t in found]
    alike = [(r == r[..., :1]).flatten(1).all(1).cpu() for r in rows]
    return torch.stack(alike).all(0) if alike else torch.zeros(0, dtype=torch.bool)
