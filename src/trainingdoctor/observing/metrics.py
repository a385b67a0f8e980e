"""What the number is that a scheduler is stepped with: an accuracy, or a loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from trainingdoctor.measure.schedule import steps_per_epoch
from trainingdoctor.observing.accuracy import lengths
from trainingdoctor.observing.passes import Pass

# Relative distance within which two numbers are the same one: scripts round what they hand on to four digits.
SAME = 1e-3


def metric_of(value: float, passes: Sequence[Pass]) -> str:
    """ "accuracy" or "loss" where a count or the losses of the last passes give this number; "" where neither does, or both."""
    last = {p.kind: p for p in passes if p.batches}
    seen = [p for kind in ("evaluation", "training") if (p := last.get(kind)) is not None]
    is_accuracy = any(_is(value, number) for p in seen for number in _accuracies(p))
    is_loss = any(_is(value, number) for p in seen for number in _losses(p))
    return "" if is_accuracy == is_loss else "accuracy" if is_accuracy else "loss"


def _is(value: float, number: float) -> bool:
    return math.isfinite(number) and number > 0 and abs(value / number - 1) < SAME


def _accuracies(seen: Pass) -> Iterator[float]:
    """Shares and percents of right predictions. A pass that ended early may be divided by its planned length."""
    if seen.count.doubtful or seen.count.is_single:
        return
    for share, _ in seen.count.shares(seen.loader):
        yield from (share, 100 * share)


def _losses(seen: Pass) -> Iterator[float]:
    """Sums and means over the batches or the samples."""
    losses, sizes = [float(loss) for loss in seen.losses], seen.count.of
    planned = steps_per_epoch(seen.loader)
    if losses:
        yield from (sum(losses), sum(losses) / len(losses))
        yield from [sum(losses) / planned] if planned else []
    if losses and len(losses) == len(sizes):
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        yield total / sum(sizes)
        yield from [total / n for n in lengths(seen.loader)]
