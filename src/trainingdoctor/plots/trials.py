"""The picture of trial trainings at several rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, axes_for, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.trials import RateTrials

COLOURS = (GREEN, ORANGE, GREY, RED)


def draw(trials: RateTrials) -> Figure:
    """Loss against steps, a line for each rate; the run's own is the thick one, the loss of guessing dashed."""
    figure, axes = axes_for(None, 8.0, 4.0)
    tidy(axes)
    top = 3 * max(trials.initial, trials.chance or 0.0)
    others = iter(COLOURS * (1 + len(trials.trials) // len(COLOURS)))
    for trial in sorted(trials.trials, key=lambda t: t.rate):
        own = math.isclose(trial.factor, 1.0)
        label = f"{trials.peak * trial.factor:.2g}{' (this run)' if own else ''}"
        shown = [min(loss, top) if math.isfinite(loss) else top for loss in trial.losses]
        axes.plot(
            range(1, len(shown) + 1),
            shown,
            color=BLUE if own else next(others),
            linewidth=2.6 if own else 1.4,
            label=label,
        )
    if trials.chance is not None:
        axes.axhline(trials.chance, color=GREY, linestyle="--", linewidth=1.0, label="guessing")
    axes.set_xlabel(f"step, in batches of {trials.batch_size}")
    axes.set_ylabel("loss")
    axes.set_ylim(0, top)
    axes.legend(title="rate", frameon=False, fontsize=9)
    return figure
