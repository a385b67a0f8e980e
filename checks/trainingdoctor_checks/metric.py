"""The accuracy that a script says it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, warning

if TYPE_CHECKING:
    from trainingdoctor.observing.trace import LoopTrace


@check("metric.wrong")
def wrong(loop_trace: LoopTrace, *, off: float = 2.0, exact: float = 0.5, least: int = 100) -> Verdicts:
    """The accuracy that the script prints is not the share of right predictions.

    What it does: counts the right predictions (the largest output) in the evaluation that it watched, and compares them with the
    accuracy that the script printed in or after it. A pass that was ended early may be divided by what was seen or by what was
    planned; accuracies of single classes, of the training data and top-5 are left alone. Models of one output are counted over 0
    where the loss takes logits, over a half where it takes probabilities, and only told wrong where a usual mistake gives the
    very number: logits over a half, the largest of one output, predictions against all targets of the batch.
    Why it costs accuracy: it costs none; it tells a good training from a bad one wrongly, and the wrong one is kept.
    Remedy: predictions = outputs.argmax(1); correct += (predictions == targets).sum().item(); total += targets.size(0).
    Thresholds: `off` points from every share that the number can mean, over `least` samples; on the healthy scripts of
    benchmarks/scripts it is 0. Where a usual mistake gives the very number, `exact` points between it and the right count: logits over
    a half differed by 0.6 to 2.5 points on one training.
    Measured: arithmetic.
    """
    seen = loop_trace.accuracy
    if seen is None or seen.samples < least:
        return
    counted = f"{seen.counted:.1f} % of {seen.samples} evaluated samples were right"
    if seen.off >= (exact if seen.reading else off):
        single = f": counting {seen.reading} gives what it says" if seen.reading else ""
        count = "((outputs > 0).flatten() == (targets > 0.5).flatten())" if single else "(outputs.argmax(1) == targets)"
        yield warning(
            f"The script says “{seen.said}”, and {counted}{single}.",
            f"correct += {count}.sum().item(); total += targets.size(0); accuracy = correct / total",
            where=seen.where,
            counted=seen.counted,
            off=seen.off,
        )
    else:
        yield Note(f"{counted}, as the script says")


CHECKS = (wrong,)
