"""Weights of classes in the criterion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.class_weights import ClassWeights

CUI = "Cui et al. 2019, Class-Balanced Loss, arXiv:1901.05555: weights between equal and inverse frequency"


@check("loss.class_weights", cost="probe", explains=("loss.not_learning", "lr.too_low"), references=(CUI,))
def class_weights(class_weights: ClassWeights, *, most: float = 10.0, hint: float = 3.0, half: float = 0.5) -> Verdicts:
    """Class weights that starve a class.

    What it does: reads off the criterion's gradient how much one sample of each class counts, whatever the criterion
    is made of, and compares the weights of every two classes with how often these are drawn.
    Why it costs accuracy: a class that does not count is never predicted; one that counts for ten others is predicted
    in their place.
    Remedy: no weights, or inverse frequency; not both weights and a weighted sampler.
    Thresholds: zero for a class that occurs warns, and is critical when half of the samples do not count; a negative
    weight is critical. Otherwise two classes whose weights leave the span between equal and inverse frequency (where
    published schemes lie) by 10 or more warn, by more than 3 inform: costs may be meant.
    Measured: a CNN of three convolutions on 8,000 images of CIFAR-10 (16x16, 6 epochs, 2 seeds, 58.8 % with equal
    weights): one of ten classes weighted 3, 10, 30, 100 costs 3.4, 13.3, 25.6, 35.0 points; weighted 1/3, 1/10, 0 it
    costs 0.7, 2.1, 2.1.
    """
    w = class_weights
    negative = [c for c, value in enumerate(w.weights) if value < -1e-6]
    equal = "weight=None in the criterion, or weight=1 / counts"
    if negative:
        yield critical(
            f"The criterion pushes away from {_classes(negative)}: a negative weight.", equal, where="criterion.weight"
        )
    elif w.silenced:
        say = critical if w.silenced_share >= half else warning
        yield say(
            f"The criterion gives {_classes(w.silenced)} the weight 0: {w.silenced_share:.1%} of the samples do not count.",
            equal,
            where="criterion.weight",
            classes=w.silenced,
            share=w.silenced_share,
        )
    elif w.excess > hint:
        say = warning if w.excess > 0.999 * most else info
        heavy, light = w.weights[w.heavy], w.weights[w.light]
        yield say(
            f"A sample of class {w.heavy} ({w.counts[w.heavy]:,} drawn) counts {heavy / light:.3g} times as much as one of class {w.light} "
            f"({w.counts[w.light]:,} drawn): {w.excess:.3g} times more than equal weights or inverse frequency would give it.",
            equal,
            where="criterion.weight",
            confidence=0.8,
            excess=w.excess,
        )
    else:
        yield Note(
            "all classes count alike" if not w.weighted else f"class weights fit the frequencies within {w.excess:.2g}"
        )


def _classes(numbers: tuple[int, ...] | list[int]) -> str:
    named = ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    return f"class {named}" if len(numbers) == 1 else f"classes {named}"


CHECKS = (class_weights,)
