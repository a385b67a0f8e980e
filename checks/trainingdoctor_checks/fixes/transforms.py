"""Fixes of the transforms: what the images go through in training and in evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from trainingdoctor import Finding
from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.dataset import innermost
from trainingdoctor.measure.images import ChannelStatistics
from trainingdoctor.measure.transform_steps import shown
from trainingdoctor.remedy import Edit, MoveElement, NotFixable, Provenance, RemoveElement, SetArgument, fix
from trainingdoctor_checks.fixes._pipeline import Pipeline, pipeline

NORMALIZE = re.compile(r"transforms\.Normalize\((\([^()]*\)), (\([^()]*\))\)")


@fix("augmentation.missing", "augmentation.weak")
def augment(
    finding: Finding, augmentation_pairs: AugmentationPairs, train_loader: Any, val_loader: Any, provenance: Provenance
) -> Iterator[Edit]:
    """Shift the training images, and mirror them."""
    train, other = pipeline(train_loader, "train", provenance), _other(val_loader, provenance)
    if other is not None and innermost(train_loader.dataset) is innermost(val_loader.dataset):
        raise NotFixable(
            "training and evaluation are parts of one data set, whose transforms both get: make it twice, and split by index"
        )
    side = augmentation_pairs.side
    steps = [f"{train.library}.RandomCrop({side}, padding={max(1, side // 8)})"]
    if "mirrored" not in augmentation_pairs.kinds:
        steps.append(f"{train.library}.RandomHorizontalFlip()")
    yield from train.with_steps(steps, None if train.takes_pictures() else "ToTensor", other)


@fix("augmentation.on_evaluation")
def no_augmentation(train_loader: Any, val_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Leave random transforms out of the evaluation."""
    own, other = pipeline(val_loader, "test", provenance), _other(train_loader, provenance)
    yield from own.without_random(other)


@fix("augmentation.order")
def put_in_order(finding: Finding, train_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Put the transform where it works."""
    train = pipeline(train_loader, "train", provenance)
    step = next((s for s in train.steps if shown(s) == finding.evidence.get("step")), None)
    if step is None:
        raise NotFixable("which transform it is was not seen")
    site = provenance.call(step, type(step).__name__)
    if "clips" in finding.evidence:
        yield MoveElement(site.place, provenance.call(_normalizations(train)[0], "Normalize").place)
    elif type(step).__name__ == "RandomCrop":
        side = int(step.size[0])
        yield SetArgument(site, "padding", str(max(1, side // 8)))
    elif getattr(step, "p", None) == 0:
        yield SetArgument(site, "p", "0.5")
    else:
        raise NotFixable(f"what {type(step).__name__} should do is not known")


@fix("normalization.missing")
def normalize(finding: Finding, train_loader: Any, val_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Normalize after ToTensor, in training and in evaluation."""
    found = NORMALIZE.search(finding.remedy)
    if found is None:
        raise NotFixable("no mean and deviation follow from this run's numbers")
    for loader, hint in ((train_loader, "train"), (val_loader, "test")):
        own = pipeline(loader, hint, provenance)
        yield from own.with_steps([f"{own.library}.Normalize({found[1]}, {found[2]})"], "ToTensor", None)


@fix("normalization.wrong_statistics")
def own_statistics(
    train_images: ChannelStatistics, train_loader: Any, val_loader: Any, provenance: Provenance
) -> Iterator[Edit]:
    """Normalize once, with the data's own mean and deviation."""
    for loader, hint in ((train_loader, "train"), (val_loader, "test")):
        own = pipeline(loader, hint, provenance)
        steps = _normalizations(own)
        if len(steps) > 1:
            yield RemoveElement(provenance.call(steps[-1], "Normalize").place)
        elif steps:
            yield from _set(steps[0], _before(steps[0], train_images), provenance)
        else:
            raise NotFixable("the images are not normalized by one of torchvision's transforms")


@fix("normalization.train_eval_mismatch")
def same_statistics(train_loader: Any, val_loader: Any, provenance: Provenance) -> Iterator[Edit]:
    """Normalize the evaluation as the training."""
    train, own = pipeline(train_loader, "train", provenance), pipeline(val_loader, "test", provenance)
    wanted, have = _normalizations(train), _normalizations(own)
    if len(wanted) == 1 and len(have) == 1:
        yield from _set(have[0], (_floats(wanted[0].mean), _floats(wanted[0].std)), provenance)
    elif len(wanted) + len(have) == 1:
        known, lacking = (wanted or have)[0], own if wanted else train
        values = f"Normalize({_tuple(_floats(known.mean))}, {_tuple(_floats(known.std))})"
        text = _as_written(known, lacking, provenance) or f"{lacking.library}.{values}"
        yield from lacking.with_steps([text], "ToTensor", None)
    else:
        raise NotFixable("the two pipelines differ in more than their Normalize")


def _other(loader: Any, provenance: Provenance) -> Pipeline | None:
    try:
        return pipeline(loader, "", provenance)
    except NotFixable:
        return None


def _as_written(step: Any, other: Pipeline, provenance: Provenance) -> str | None:
    """The call that builds a transform, where the same words do in another list that comes later; else None."""
    try:
        site = provenance.call(step, "Normalize")
    except NotFixable:
        return None
    return provenance.text_at(site, other.site.place) if site.place < other.site.place else None


def _normalizations(own: Pipeline) -> list[Any]:
    return [s for s in own.steps if type(s).__name__ == "Normalize"]


def _before(step: Any, now: ChannelStatistics) -> tuple[list[float], list[float]]:
    """Mean and deviation of what goes into a Normalize, from those of what comes out."""
    mean, std = _floats(step.mean), _floats(step.std)
    wide = len(now.mean)
    mean, std = mean * wide if len(mean) == 1 else mean, std * wide if len(std) == 1 else std
    return (
        [m * s + o for m, s, o in zip(now.mean, std, mean, strict=True)],
        [d * s for d, s in zip(now.std, std, strict=True)],
    )


def _set(step: Any, values: tuple[Sequence[float], Sequence[float]], provenance: Provenance) -> Iterator[Edit]:
    site = provenance.call(step, "Normalize")
    yield SetArgument(site, "mean", _tuple(values[0]))
    yield SetArgument(site, "std", _tuple(values[1]))


def _floats(values: Any) -> list[float]:
    if isinstance(values, Tensor):
        return [float(v) for v in values.flatten()]
    return [float(v) for v in values] if isinstance(values, Sequence) else [float(values)]


def _tuple(values: Sequence[float]) -> str:
    shown = ", ".join(f"{v:.4g}" for v in values)
    return f"({shown},)" if len(values) == 1 else f"({shown})"


FIXES = (augment, no_augmentation, put_in_order, normalize, own_statistics, same_statistics)
