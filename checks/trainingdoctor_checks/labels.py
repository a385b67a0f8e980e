"""Class labels: range and completeness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.outputs import Outputs
    from trainingdoctor.measure.targets import Targets


@check(
    "labels.out_of_range",
    cost="probe",
    explains=("training.raises", "model.output_width", "loss.*", "labels.*"),
)
def out_of_range(targets: Targets, outputs: Outputs) -> Verdicts:
    """Class indices that the model has no output for.

    What it does: compares the smallest and largest class index with the number of outputs.
    Why it costs accuracy: an index beyond the outputs stops with an error (on a GPU with a device assert that names
    another line); labels from 1 leave one output without a class.
    Remedy: targets - 1, or the right number of outputs.
    Thresholds: none; the range.
    Measured: no measurement yet.
    """
    t, width = targets, outputs.width
    if t.kind != "indices" or width is None or t.minimum is None or t.maximum is None:
        return
    from_one = t.minimum >= 1 and t.maximum == width
    if t.minimum < 0:
        yield critical(
            f"Targets go down to {t.minimum}: classes are counted from 0.",
            f"Map them to 0..{width - 1}, or set ignore_index={t.minimum} if these are to be left out.",
            where="train_loader.dataset",
            minimum=t.minimum,
        )
    elif from_one:
        yield critical(
            f"Targets go from {t.minimum} to {t.maximum}, and the model has outputs 0 to {width - 1}: the labels count from 1.",
            "target_transform=lambda y: y - 1",
            where="train_loader.dataset",
            minimum=t.minimum,
            maximum=t.maximum,
        )
    elif t.maximum >= width and len(t.counts) <= width:
        yield critical(
            f"Targets go up to {t.maximum}, but there are only {len(t.counts)} different ones and {width} outputs.",
            f"Map the labels to 0..{len(t.counts) - 1}.",
            where="train_loader.dataset",
            maximum=t.maximum,
        )
    else:
        yield Note(f"targets {t.minimum} to {t.maximum}, {width} outputs")


@check("labels.missing_class", cost="probe")
def missing_class(targets: Targets, outputs: Outputs, *, most: float = 0.5, drawn: int = 32) -> Verdicts:
    """A class of the model never appears in the training data.

    What it does: counts the targets of the whole data set for each output; where it does not list them, and each sample has several,
    as the pixels of a mask, those that were drawn.
    Why it costs accuracy: what is never a target is never predicted.
    Remedy: look for a filter, a wrong mapping, or a subset that is cut from sorted data; an ignore_index that is no class.
    Thresholds: warns when up to half of the outputs have no sample; with more, the model is too wide
    (model.output_width). Of drawn targets, where those of 32 samples and more are all of one class: ToTensor() divides a mask by 255,
    and as whole numbers 1/255 and 2/255 are 0.
    Measured: no measurement yet.
    """
    t, width = targets, outputs.width
    samples = sum(t.counts.values()) // max(math.prod(t.shape[1:]), 1)
    if not t.complete and t.kind == "indices" and len(t.shape) > 2 and len(t.counts) == 1 and samples >= drawn:
        yield warning(
            f"All {sum(t.counts.values()):,} drawn targets, those of {samples} samples, are class {t.minimum}; the model has {width} outputs.",
            "torchvision.transforms.PILToTensor() for masks, and .long(): ToTensor() divides them by 255",
            where="train_loader.dataset",
            samples=samples,
        )
        return
    if not t.complete or t.kind != "indices" or width is None or t.minimum is None:
        return
    missing = [c for c in range(width) if not t.counts.get(c)]
    if len(missing) == 1 and t.ignored:
        yield warning(
            f"The criterion ignores class {missing[0]}: ignore_index={missing[0]} leaves {t.ignored:,} of {t.ignored + sum(t.counts.values()):,} samples out, and the class is never learned.",
            "ignore_index=-100 (the default), or an index that is no class",
            where="criterion.ignore_index",
            ignored=t.ignored,
        )
    elif missing and len(missing) <= most * width and t.minimum >= 0 and (t.maximum or 0) < width:
        yield warning(
            f"{len(missing)} of {width} classes never appear in the training data: {', '.join(map(str, missing[:10]))}.",
            "Look for a filter, a wrong mapping of labels, or a subset cut from data that is sorted by class.",
            where="train_loader.dataset",
            missing=missing[:50],
        )


CHECKS = (out_of_range, missing_class)
