"""The training transforms one by one: which random ones never change an image, and which clip normalized values."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.dataset import RANDOM_NAMES
from trainingdoctor.measure.indices import indices_of
from trainingdoctor.measure.plain import indexable, input_transforms, plain, sample


@dataclass(frozen=True)
class Step:
    """One transform. random: by its name.  probability: what it says of itself, None where it says nothing.

    changed: share of applications that gave another image than came in.  clips: share of images with negative values
    that came out with a minimum of exactly 0.
    """

    name: str
    shown: str
    random: bool
    probability: float | None
    applications: int
    changed: float
    clips: float


@evidence(cost="probe")
def transform_steps(train_loader: Any, *, samples: int = 8, draws: int = 25) -> tuple[Step, ...]:
    """Apply each step of the training transforms `draws` times to `samples` images as the steps before left them."""
    dataset = indexable(train_loader)
    chains = input_transforms(dataset)
    if len(chains) != 1:
        raise Unavailable("the data set has no one list of transforms that could be looked at step by step")
    images = given_images(dataset, indices_of(train_loader), samples)
    steps: list[Step] = []
    try:
        for step in flattened(chains[0]):
            made = [[_apply(step, image) for _ in range(draws if is_random(step) else 1)] for image in images]
            steps.append(_described(step, images, made))
            images = [outcomes[0] for outcomes in made]
    except UserCodeError as error:
        raise Unavailable(f"the transforms cannot be applied one by one: {error}") from error
    return tuple(steps)


def flattened(transform: Any) -> list[Any]:
    """The steps of a Compose or Sequential, of such in such too; a transform that is neither is the one step."""
    parts = getattr(transform, "transforms", None)
    if parts is None and isinstance(transform, torch.nn.Sequential):
        parts = list(transform)
    # RandomApply, RandomChoice and OneOf hold steps that are not all applied: they count as one.
    composed = type(transform).__name__ in ("Compose", "Sequential", "ImageOnly")
    if not composed or not isinstance(parts, Iterable):
        return [transform]
    return [step for part in parts for step in flattened(part)]


def given_images(dataset: Any, indices: Sequence[int], count: int) -> list[Any]:
    """What the first transform is given, for some samples. Raises Unavailable where that is no image."""
    found = []
    with plain(dataset) as stand_in:
        for index in np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int).tolist():
            sample(dataset, indices[index])
            found.append(None if stand_in is None else stand_in.last)
    if not all(isinstance(image, Image | np.ndarray | Tensor) for image in found):
        raise Unavailable("the transforms are not given images")
    return found


def shown(step: Any) -> str:
    """A transform as it says of itself, on one line, without its address."""
    return re.sub(r"( object)? at 0x\w+", "", " ".join(repr(step).split()))[:120]


def is_random(step: Any) -> bool:
    """Whether a transform is random by its name, or by a probability of 0."""
    name = type(step).__name__
    return name.startswith(RANDOM_NAMES) or name.endswith(("Jitter", "Erasing", "Flip")) or _probability(step) == 0


def _probability(step: Any) -> float | None:
    value = getattr(step, "p", None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _apply(step: Any, image: Any) -> Any:
    # Some transforms work in place.
    image = image.clone() if isinstance(image, Tensor) else image.copy()
    with user_code(f"the transform {type(step).__name__}"):
        if type(step).__module__.startswith("albumentations"):
            return step(image=image)["image"]
        return step(image)


def _described(step: Any, images: list[Any], made: list[list[Any]]) -> Step:
    pairs = [(image, outcome) for image, outcomes in zip(images, made, strict=True) for outcome in outcomes]
    negative = [(a, b) for a, b in ((_values(x), _values(y)) for x, y in pairs) if a.size and a.min() < -0.1]
    clipped = sum(b.size > 0 and float(b.min()) == 0 and float((b == 0).mean()) > 0.1 for _, b in negative)
    return Step(
        name=type(step).__name__,
        shown=shown(step),
        random=is_random(step),
        probability=_probability(step),
        applications=len(pairs),
        changed=sum(not _same(a, b) for a, b in pairs) / len(pairs),
        clips=clipped / max(len(negative), 1),
    )


def _values(image: Any) -> np.ndarray:
    """Numbers of an image that can be negative; none for one of bytes."""
    values = image.detach().cpu().numpy() if isinstance(image, Tensor) else image
    return values if isinstance(values, np.ndarray) and values.dtype.kind == "f" else np.empty(0)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return before.shape == after.shape and bool(torch.equal(before, after))
    if type(before) is not type(after):
        return False
    return np.array_equal(np.asarray(before), np.asarray(after))
