"""Augmentation, seen by drawing the same samples several times through the whole pipeline."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.alignment import kinds_of_change
from trainingdoctor.measure.batches import Batch, augmented, tensors
from trainingdoctor.measure.dataset import length, sampler_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trainingdoctor.plots.canvas import Path

# Larger images are shrunk to this side before draws are compared: shifts and mirrors survive it.
SIDE = 48
# What is kept to be looked at: some samples, at most so many pixels a side.
PICTURES, PICTURE = 6, 96
# Distance of two draws of one sample over that of different samples, from which on each draw is a sample of its own.
ANEW = 0.7


@dataclass(frozen=True)
class AugmentationPairs:
    """The same samples drawn several times. varies: some draw differs from another.

    kinds: what changed between draws, of mirrored, flipped_vertically, shifted, colour, erased, mixed, other, each with
    the share of pairs that show it.  uses_randomness: a draw moved a random state or its transforms are random by name.
    per_pixel: the targets are maps, as in segmentation, which change along with the images; still_maps: they are as large as
    the images and came out the same in every draw, though they are not constant.  redrawn: a sample holds
    several images, its class changes, or, of what is no image, its draws differ as much as other samples do: other samples may be
    drawn, not other views of the same one.
    supervised: the criterion gets targets that differ within a batch; a GAN's discriminator gets all ones or all zeros.
    pictures: of images, some samples' draws (draws, samples, channels, height, width), made small; None otherwise.
    """

    samples: int
    draws: int
    varies: bool
    difference: float
    kinds: dict[str, float]
    uses_randomness: bool
    image: bool
    channels: int
    side: int
    size: int | None
    per_pixel: bool = False
    still_maps: bool = False
    redrawn: bool = False
    supervised: bool = True
    pictures: Tensor | None = field(default=None, repr=False, compare=False)

    def plot(self, target: "Path | None" = None) -> "Figure":
        """Draw the pictures as a grid: a sample per row, a draw per column. Raises Unavailable without images.

        target: a file to write (.png, .svg, .pdf), or None; returns the figure.
        """
        from trainingdoctor.plots.augmentation import draw

        return draw(self, target)

    def _repr_html_(self) -> str | None:
        """For notebooks."""
        from trainingdoctor.render.notebook import picture_html
        from trainingdoctor.render.words import of_pairs

        return picture_html(self.plot, of_pairs(self))


@evidence(cost="probe", optional=("augment_on_device", "dataset_facts", "train_batches"))
def augmentation_pairs(
    train_loader: Any,
    augment_on_device: Callable[..., Any] | None,
    dataset_facts: Any,
    train_batches: tuple[Batch, ...] | None,
    *,
    samples: int = 12,
    draws: int = 6,
) -> AugmentationPairs:
    """Draw `samples` training samples `draws` times each: data set, collate function, augment_on_device."""
    random_names = bool(dataset_facts and dataset_facts.random_transforms)
    pairs = measure_pairs(train_loader, augment_on_device, samples, draws, random_names)
    return replace(pairs, supervised=train_batches is None or any(_tells(b.targets) for b in train_batches))


@evidence(cost="probe")
def evaluation_pairs(val_loader: Any, *, samples: int = 12, draws: int = 3) -> AugmentationPairs:
    """The same for the evaluation loader. Unavailable for pairs of samples, drawn at random."""
    pairs = measure_pairs(val_loader, None, samples, draws, False)
    if pairs.redrawn:
        raise Unavailable("the evaluation set draws pairs, or other samples with other targets, each time")
    return pairs


def measure_pairs(
    loader: Any, augment: Callable[..., Any] | None, samples: int = 12, draws: int = 6, random_names: bool = False
) -> AugmentationPairs:
    """Draw the same indices of `loader` several times and describe how the draws differ.

    Raises Unavailable for loaders whose samples cannot be drawn twice, and for inputs without a float or image tensor.
    """
    draw = sampler_of(loader)
    size = length(loader.dataset)
    if size == 0:
        raise Unavailable("the data set is empty")
    indices = [int(i) for i in np.linspace(0, (size or samples) - 1, min(samples, size or samples))]
    with noticing_randomness() as used:
        batches = [augmented(draw(indices), augment) for _ in range(draws)]
    stack = torch.stack([image_or_first(b) for b in batches])
    image = stack.ndim == 5 and stack.shape[2] in (1, 3, 4)
    difference = float((stack[1:] - stack[:1]).abs().mean() / (stack.std() + 1e-12))
    varies = bool((stack[1:] != stack[:1]).any())
    kinds = kinds_of_change(shrunk(stack)) if image and varies else {"other": 1.0} if varies else {}
    differ = varies and _targets_differ(batches)
    if differ:
        kinds["mixed"] = 1.0
    return AugmentationPairs(
        samples=len(indices),
        draws=draws,
        varies=varies,
        difference=difference,
        kinds=kinds,
        uses_randomness=bool(used) or random_names,
        image=image,
        channels=int(stack.shape[2]) if image else 0,
        side=int(max(stack.shape[3:])) if image else 0,
        size=size,
        per_pixel=isinstance(batches[0].targets, Tensor) and batches[0].targets.ndim >= 3,
        still_maps=image and varies and not differ and _are_maps(batches[0].targets, stack),
        pictures=pictures(stack) if image else None,
        redrawn=_several_images(batches[0])
        or (differ and _are_classes(batches[0].targets))
        or (not image and _is_anew(stack)),
    )


def pictures(stack: Tensor) -> Tensor:
    """The draws of a few samples spread over all, at most `PICTURE` pixels a side."""
    chosen = torch.linspace(0, stack.shape[1] - 1, min(PICTURES, stack.shape[1])).long()
    return shrunk(stack[:, chosen], PICTURE).clone()


def image_or_first(batch: Batch) -> Tensor:
    """The input tensor of a batch: its images, else its first tensor. Raises Unavailable where there is none."""
    found = [t for t in tensors(batch.inputs) if t.ndim >= 2]
    image = next((t for t in found if t.ndim == 4), found[0] if found else None)
    if image is None:
        raise Unavailable("the samples hold no tensor that could be compared between draws")
    return image.detach().float().cpu()


def shrunk(stack: Tensor, side: int = SIDE) -> Tensor:
    """Draws (draws, samples, channels, height, width), at most `side` pixels a side."""
    draws, samples = stack.shape[:2]
    if max(stack.shape[3:]) <= side:
        return stack
    small = functional.interpolate(stack.flatten(0, 1), size=(side, side), mode="area")
    return small.reshape(draws, samples, *small.shape[1:])


def _tells(targets: Any) -> bool:
    """Whether targets can tell one sample of a batch from another."""
    if not isinstance(targets, Tensor):
        return targets is not None
    return targets.numel() < 8 or bool((targets != targets.flatten()[0]).any())


def _are_maps(targets: Any, stack: Tensor) -> bool:
    """Whether most targets have the images' height and width, and a content of their own."""
    if not isinstance(targets, Tensor) or targets.ndim < 3 or targets.shape[-2:] != stack.shape[-2:]:
        return False
    flat = targets.flatten(1)
    return bool((flat != flat[:, :1]).any(1).float().mean() > 0.5)


def _is_anew(stack: Tensor) -> bool:
    """Whether draws of one sample (draws, samples, ...) are as far apart as those of different ones: the index means nothing."""
    one, other = (stack[1:] - stack[:-1]).abs().mean(), (stack[1:] - stack[:-1].roll(1, 1)).abs().mean()
    return stack.shape[1] > 1 and bool(one > ANEW * other)


def _several_images(batch: Batch) -> bool:
    return sum(t.ndim == 4 for t in tensors(batch.inputs)) > 1


def _are_classes(targets: Any) -> bool:
    return isinstance(targets, Tensor) and targets.ndim == 1 and bool((targets == targets.round()).all())


def _targets_differ(batches: list[Batch]) -> bool:
    first = batches[0].targets
    return isinstance(first, Tensor) and any(
        isinstance(b.targets, Tensor) and (b.targets.shape != first.shape or bool((b.targets != first).any()))
        for b in batches
    )


@contextmanager
def noticing_randomness() -> Iterator[list[str]]:
    """Names of the global random states that the block moved, filled in when it ends."""
    moved: list[str] = []
    before = random.getstate(), _numpy_state(), torch.get_rng_state()
    yield moved
    if random.getstate() != before[0]:
        moved.append("random")
    if _numpy_state() != before[1]:
        moved.append("numpy")
    if not torch.equal(torch.get_rng_state(), before[2]):
        moved.append("torch")


def _numpy_state() -> tuple[bytes, int]:
    """NumPy's global random state, comparable."""
    state: Any = np.random.get_state()
    return state[1].tobytes(), int(state[2])
