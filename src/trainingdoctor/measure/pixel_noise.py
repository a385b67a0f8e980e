"""Noise in the images: how much adjacent pixels have in common, in training and in evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.images import image_tensor
from trainingdoctor.measure.samples import Samples, smoothness


@dataclass(frozen=True)
class PixelNoise:
    """Median correlation of adjacent pixels of the images as the model sees them: 0.9 in photographs, 0 in white noise.

    stored: of the training images before augmentation, None where they cannot be read so.
    """

    train: float
    evaluation: float
    stored: float | None

    @property
    def ratio(self) -> float:
        """Training over evaluation."""
        return self.train / max(self.evaluation, 1e-9)

    @property
    def noise_to_signal(self) -> float:
        """Deviation of white noise, in deviations of the evaluation images, that lowers their correlation so far."""
        return float(max(1 / max(self.ratio, 1e-3) - 1, 0.0) ** 0.5)


@evidence(cost="probe", optional=("plain_train",))
def pixel_noise(
    train_batches: tuple[Batch, ...], val_batches: tuple[Batch, ...], plain_train: Samples | None
) -> PixelNoise:
    """Compare the drawn training and evaluation batches."""
    stored = plain_train.smoothness if plain_train is not None and not plain_train.varies else None
    return PixelNoise(_median(train_batches), _median(val_batches), stored)


def _median(batches: Sequence[Batch]) -> float:
    images = image_tensor(tuple(batches))[:300]
    if min(images.shape[2:]) < 8:
        raise Unavailable("the images are too small to tell noise from content")
    return float(np.median([smoothness(image) for image in images]))
