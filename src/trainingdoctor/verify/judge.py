"""What trainings before and after tell: the difference, paired by seed, with its interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Two-sided 95 % quantiles of Student's t for 1 to 9 degrees of freedom; then 2.2 to 2.0.
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


class Judgement(StrEnum):
    """What a change did to the accuracy."""

    IMPROVED = "improved"
    NO_DIFFERENCE = "no difference beyond noise"
    WORSE = "worse"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Sample:
    """Accuracies of one variant, in percent, by seed; None where a training did not end."""

    variant: str
    by_seed: Mapping[int, float | None]

    @property
    def values(self) -> list[float]:
        """Those that ended."""
        return [v for v in self.by_seed.values() if v is not None]

    @property
    def mean(self) -> float | None:
        """None where none ended."""
        return statistics.fmean(self.values) if self.values else None


@dataclass(frozen=True)
class Difference:
    """before to after in points of accuracy. low, high: 95 % interval of the mean difference; None from one seed."""

    judgement: Judgement
    points: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0


def difference(before: Sample, after: Sample) -> Difference:
    """Student's interval over the seeds' own differences: what all variants of a seed share falls out of it.

    A training that raises, where the other one ends, is the worse one whatever the figures.
    """
    pairs = [(before.by_seed[s], after.by_seed[s]) for s in before.by_seed if s in after.by_seed]
    if pairs and all(b is None and a is not None for b, a in pairs):
        return Difference(Judgement.IMPROVED, seeds=len(pairs))
    if pairs and any(b is not None and a is None for b, a in pairs):
        return Difference(Judgement.WORSE, seeds=len(pairs))
    apart = [a - b for b, a in pairs if a is not None and b is not None]
    if not apart:
        return Difference(Judgement.UNTOLD)
    points = statistics.fmean(apart)
    if len(apart) == 1:
        return Difference(Judgement.UNTOLD, points, seeds=1)
    half = _student(len(apart) - 1) * statistics.stdev(apart) / math.sqrt(len(apart))
    low, high = points - half, points + half
    judgement = Judgement.IMPROVED if low > 0 else Judgement.WORSE if high < 0 else Judgement.NO_DIFFERENCE
    return Difference(judgement, points, low, high, len(apart))


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of a mean; None from fewer than two."""
    if len(values) < 2:
        return None
    half = _student(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - half, statistics.fmean(values) + half


def _student(freedom: int) -> float:
    return STUDENT[freedom - 1] if freedom <= len(STUDENT) else 2.2 if freedom < 20 else 2.05
