"""What augmentation leaves of the images: does a classifier fitted on augmented images know the plain ones?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, augmented, required, tensors
from trainingdoctor.measure.budget import Budget
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.plain import as_tensor, indexable
from trainingdoctor.measure.probe import ProbeFeatures, Score, fit, scored
from trainingdoctor.measure.samples import Samples, comparable, resized

# On-device augmentation may make one choice for a whole batch: so many images share it at most.
CHUNK = 32


@dataclass(frozen=True)
class AugmentationStrength:
    """The same small classifier fitted on plain and on augmented training images.

    plain: fitted on plain images, asked about plain evaluation images.  augmented: fitted on augmented images, asked
    about evaluation images as they come through their own transforms.
    """

    samples: int
    plain: Score
    augmented: Score

    @property
    def kept(self) -> float:
        """The part of the plain images' skill that survives augmentation; 1 where there is none that could be lost."""
        return self.augmented.skill / self.plain.skill if self.plain.skill > 0 else 1.0


@evidence(cost="probe", optional=("augment_on_device",))
def augmentation_strength(
    train_loader: Any,
    val_loader: Any,
    plain_train: Samples,
    plain_eval: Samples,
    probe_features: ProbeFeatures,
    augment_on_device: Callable[..., Any] | None,
    *,
    samples: int = 1000,
    asked: int = 2000,
    seconds: float = 2.0,
) -> AugmentationStrength:
    """Draw up to `samples` augmented training and `asked` evaluation images, as many as come in `seconds` each."""
    if not plain_train.images or plain_train.varies or plain_eval.varies:
        raise Unavailable("the inputs are no images that can be read without their augmentation")
    images = _draw(indexable(train_loader), plain_train.indices[:samples], augment_on_device, seconds)
    seen = _draw(indexable(val_loader), plain_eval.indices[:asked], None, seconds)
    if len({image.shape[0] for image in (*images, *seen, plain_train.inputs[0], plain_eval.inputs[0])}) > 1:
        raise Unavailable("the images differ in their number of channels")
    count, labels, answers = len(images), plain_train.labels[: len(images)], plain_eval.labels[: len(seen)]
    if count < 100 or len(seen) < 100:
        raise Unavailable("too few samples to compare plain and augmented images")
    features = probe_features
    return AugmentationStrength(
        samples=count,
        plain=_score(features.train[:count], labels, features.evaluation[: len(seen)], answers),
        augmented=_score(features.of(comparable(images)), labels, features.of(comparable(seen)), answers),
    )


def _score(features: Tensor, labels: Tensor, asked: Tensor, answers: Tensor) -> Score:
    classes = torch.cat([labels, answers]).unique()
    return scored(fit(features, labels, classes)(asked), answers, classes)


def _draw(dataset: Any, indices: Sequence[int], augment: Callable[..., Any] | None, seconds: float) -> list[Tensor]:
    """Small copies of images as the data set and augment_on_device give them, without the collate function: it may mix."""
    budget = Budget(seconds)
    drawn: list[Tensor] = []
    for start in range(0, len(indices), CHUNK):
        images = []
        for index in indices[start : start + CHUNK]:
            with user_code("the data set"):
                images.append(_image(dataset[index]))
        drawn += [resized(image) for image in _on_device(images, augment)]
        if budget.spent:
            break
    return drawn


def _image(item: Any) -> Tensor:
    parts = list(item.values()) if isinstance(item, dict) else list(item) if isinstance(item, list | tuple) else [item]
    found = [t for t in tensors([as_tensor(part) for part in parts]) if t.ndim in (2, 3) and min(t.shape[-2:]) >= 8]
    if not found:
        raise Unavailable("the samples hold no image")
    return (found[0] if found[0].ndim == 3 else found[0][None]).detach().float().cpu()


def _on_device(images: list[Tensor], augment: Callable[..., Any] | None) -> Sequence[Tensor]:
    """After augment_on_device. Where that needs the targets it may mix images, and is left out."""
    if augment is None or required(augment) > 1 or len({image.shape for image in images}) > 1:
        return images
    changed = augmented(Batch(torch.stack(images), None), augment).inputs
    if not isinstance(changed, Tensor) or changed.ndim != 4:
        raise Unavailable("augment_on_device gives no images")
    return changed.detach().float().cpu().unbind()
