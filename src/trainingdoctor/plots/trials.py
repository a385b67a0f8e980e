"""The picture of trial trainings at several rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, legend_above, logarithmic, new_figure, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.schedule import ScheduleTrace
    from trainingdoctor.measure.trials import RateTrials

COLOURS = (GREEN, ORANGE, GREY, RED)


def draw(trials: RateTrials, schedule: ScheduleTrace | None = None) -> Figure:
    """Above, loss against steps for each rate; below, where several were tried, the loss that each ends at.

    There the rates that train are shaded, the run's own is marked, and so is what its schedule goes through.
    """
    several = len(trials.trials) > 1
    figure = new_figure(5.6, 5.4 if several else 3.2)
    panels = figure.subplots(2 if several else 1, 1, squeeze=False)[:, 0]
    top = 3 * _height(trials)
    _losses(panels[0], trials, top)
    if several:
        _ends(panels[1], trials, schedule, top)
    return figure


def _losses(axes: Axes, trials: RateTrials, top: float) -> None:
    tidy(axes)
    others = iter(COLOURS * (1 + len(trials.trials) // len(COLOURS)))
    for trial in sorted(trials.trials, key=lambda t: t.rate):
        own = math.isclose(trial.factor, 1.0)
        label = f"rate {trials.peak * trial.factor:.2g}{' (this run)' if own else ''}"
        shown = [_shown(loss, top) for loss in trial.losses]
        colour, width = (BLUE, 2.4) if own else (next(others), 1.4)
        axes.plot(range(1, len(shown) + 1), shown, color=colour, linewidth=width, label=label)
    if trials.chance is not None:
        axes.axhline(trials.chance, color=GREY, linestyle="--", linewidth=1.0, label="guessing")
    axes.set_xlabel(f"step, in batches of {trials.batch_size}")
    axes.set_ylabel("loss")
    axes.set_ylim(0, top)
    legend_above(axes)


def _ends(axes: Axes, trials: RateTrials, schedule: ScheduleTrace | None, top: float) -> None:
    tidy(axes)
    tried = sorted(trials.trials, key=lambda t: t.factor)
    rates = [trials.peak * t.factor for t in tried]
    if trials.stable is not None:
        low, high = trials.stable
        # A single rate has no width: a fifth to each side makes it visible.
        axes.axvspan(low / 1.2, high * 1.2, color=GREEN, alpha=0.15, linewidth=0, label="loss falls, never shoots up")
    axes.plot(rates, [_shown(t.end, top) for t in tried], color=BLUE, marker="o", markersize=5, linewidth=1.4)
    axes.axvline(trials.peak, color=RED, linestyle="--", linewidth=1.6, label=f"this run's peak: {trials.peak:.3g}")
    if schedule is not None and min(schedule.rates) > 0 and not schedule.constant:
        span = max(min(schedule.rates), 0.3 * min(rates)), schedule.peak
        axes.plot(
            span, [0.04, 0.04], color=ORANGE, linewidth=5, transform=axes.get_xaxis_transform(), label="its schedule"
        )
    finite = [t.end for t in tried if math.isfinite(t.end)]
    axes.set_ylim(0, min(top, 1.2 * max([*finite, _height(trials)])))
    logarithmic(axes.xaxis)
    axes.set_xlabel("learning rate (log scale)")
    axes.set_ylabel("loss at the end")
    legend_above(axes)


def _height(trials: RateTrials) -> float:
    """The larger of the losses before training and of guessing."""
    known = (abs(loss) for loss in (trials.initial, trials.chance) if loss is not None and math.isfinite(loss))
    return max(known, default=1.0) or 1.0


def _shown(loss: float, top: float) -> float:
    """What climbs away stays at the upper edge."""
    return min(loss, top) if math.isfinite(loss) else top
