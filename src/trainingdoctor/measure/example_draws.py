"""One training image and one evaluation image, drawn again and again: to be looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.augmentation import PICTURE, image_or_first, shrunk
from trainingdoctor.measure.batches import augmented
from trainingdoctor.measure.dataset import length, sampler_of

# Drawn together, so that what mixes samples has some to mix; one is kept.
TOGETHER, KEPT = 4, 1


@dataclass(frozen=True)
class ExampleDraws:
    """Draws of one image each (draws, 1, channels, height, width), made small. evaluation: None where it cannot be drawn."""

    training: Tensor
    evaluation: Tensor | None

    @property
    def varies(self) -> tuple[bool, bool]:
        """Whether the training image's draws differ, and the evaluation image's."""
        return _varies(self.training), self.evaluation is not None and _varies(self.evaluation)


def _varies(stack: Tensor) -> bool:
    return bool((stack[1:] != stack[:1]).any())


@evidence(cost="probe", optional=("val_loader", "augment_on_device"))
def example_draws(
    train_loader: Any, val_loader: Any, augment_on_device: Callable[..., Any] | None, *, draws: int = 8
) -> ExampleDraws:
    """Draw them as the net gets them: data set, collate function, augment_on_device. Unavailable for other data than images."""
    training = _drawn(train_loader, augment_on_device, draws)
    try:
        evaluation = _drawn(val_loader, None, draws)
    except (Unavailable, UserCodeError):
        return ExampleDraws(training, None)
    same = evaluation.shape[2] == training.shape[2]
    return ExampleDraws(training, evaluation if same else None)


def _drawn(loader: Any, augment: Callable[..., Any] | None, draws: int) -> Tensor:
    draw = sampler_of(loader)
    size = length(loader.dataset) or 0
    if size <= KEPT:
        raise Unavailable("there are too few samples to draw one again")
    indices = torch.linspace(0, size - 1, min(TOGETHER, size)).long().tolist()
    drawn = [image_or_first(augmented(draw(indices), augment)) for _ in range(draws)]
    if drawn[0].ndim != 4 or drawn[0].shape[1] not in (1, 3, 4) or len({d.shape for d in drawn}) > 1:
        raise Unavailable("the samples are no images of one size")
    return shrunk(torch.stack([d[KEPT : KEPT + 1] for d in drawn]), PICTURE).clone()
