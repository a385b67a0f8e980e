"""What a range test's losses say: where the loss starts to fall, falls fastest, and climbs again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from trainingdoctor.measure.ramp import spread

Numbers = NDArray[np.float64]

# The ends of the stable interval lie where a tenth of the whole fall is done, and where a tenth of it is lost again.
TENTH = 0.1
# A fall counts when it is this many standard errors of the smoothed loss, and this share of the start.
ERRORS, SHARE = 5.0, 0.01


@dataclass(frozen=True)
class Shape:
    """Of one curve, or of the median of several. All positions are indices of rates.

    start: loss before the ramp.  loss: smoothed, as far as the curve goes.  falls: the first index at which a tenth
    of the fall is done; None where nothing was learned.  steepest: where it falls fastest.  edge: the last index
    before a tenth of the fall is lost again.  climbs: whether the ramp went on beyond the edge.
    """

    start: float
    loss: tuple[float, ...]
    falls: int | None = None
    steepest: int | None = None
    edge: int | None = None
    climbs: bool = False


def shape(runs: Sequence[Sequence[float]], count: int) -> Shape:
    """The shape of the runs' median, smoothed by a Gaussian of a fiftieth of the ramp.

    Each run is the loss before the ramp and after each of up to `count` rates. A run that ended early counts as
    infinitely high from there on, and the median ends where half of the runs did.
    """
    middle = median_run(runs, count)
    early = middle[: 1 + max(4, count // 10)]
    if not len(early):
        return Shape(math.nan, ())
    start, noise = float(np.median(early)), spread(middle.tolist())
    kernel = gaussian(max(1.0, count / 50))
    ceiling = start + max(start - lowest(middle), 10 * noise, 1e-12)
    loss = smoothed(middle[1:], kernel, ceiling)
    # Of the smoothed loss and of the start together; a median's variance is pi/2 that of a mean.
    error = noise * math.sqrt(float((kernel**2).sum()) + math.pi / 2 / len(early))
    return _read(start, loss, max(ERRORS * error, SHARE * abs(start)), len(middle) <= count)


def median_run(runs: Sequence[Sequence[float]], count: int) -> Numbers:
    """The median of the runs, index by index, as far as it is finite."""
    together = np.full((len(runs), count + 1), np.inf)
    for row, run in zip(together, runs, strict=True):
        row[: len(run)] = np.nan_to_num(np.array(run, dtype=float), nan=np.inf, posinf=np.inf, neginf=np.inf)
    middle: Numbers = np.median(together, axis=0)
    ends = np.flatnonzero(~np.isfinite(middle))
    return middle[: ends[0]] if len(ends) else middle


def _read(start: float, loss: Numbers, least: float, ended: bool) -> Shape:
    low = int(loss.argmin()) if len(loss) else 0
    if not len(loss) or start - loss[low] <= least:
        return Shape(start, tuple(loss.tolist()))
    fall = start - float(loss[low])
    still = np.flatnonzero(loss[: low + 1] > start - TENTH * fall)
    falls = int(still[-1]) + 1 if len(still) else 0
    lost = np.flatnonzero(loss[low:] > loss[low] + TENTH * fall)
    edge = low + int(lost[0]) - 1 if len(lost) else len(loss) - 1
    slopes = np.gradient(loss) if len(loss) > 1 else np.zeros(1)
    steepest = falls + int(slopes[falls : low + 1].argmin())
    return Shape(start, tuple(loss.tolist()), falls, steepest, edge, bool(len(lost)) or ended)


def lowest(losses: Numbers) -> float:
    """The lowest median of three successive losses: one lucky batch does not count."""
    return min(float(median(losses[i : i + 3].tolist())) for i in range(max(1, len(losses) - 2)))


def gaussian(width: float) -> Numbers:
    """Weights of a Gaussian of `width` steps that sum to 1, cut at three widths."""
    reach = math.ceil(3 * width)
    weights: Numbers = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    weights /= weights.sum()
    return weights


def smoothed(losses: Numbers, kernel: Numbers, ceiling: float) -> Numbers:
    """Centred mean, so that nothing lags behind its rate. Losses above `ceiling` count as `ceiling`."""
    if not len(losses):
        return losses
    capped = np.minimum(losses, ceiling)
    reach = len(kernel) // 2
    weight = np.convolve(np.pad(np.ones(len(capped)), reach), kernel, "valid")
    result: Numbers = np.convolve(np.pad(capped, reach), kernel, "valid") / weight
    return result
