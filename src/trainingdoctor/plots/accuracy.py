"""The picture of what trainings before and after reached."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, GREEN, GREY, axes_for, tidy
from trainingdoctor.verify.judge import Sample, interval
from trainingdoctor.verify.verify import AFTER, BEFORE


def draw(samples: Mapping[str, Sample]) -> Figure:
    """A row for each variant: a dot for each seed, the mean with its 95 % interval; a line where the config as it is stands."""
    shown = [sample for sample in samples.values() if sample.values]
    figure, axes = axes_for(None, 5.6, 0.9 + 0.4 * len(shown))
    tidy(axes)
    axes.grid(axis="y", visible=False)
    for row, sample in enumerate(shown):
        colour = {AFTER: GREEN, BEFORE: GREY}.get(sample.variant, BLUE)
        axes.plot(sample.values, [row] * len(sample.values), "o", color=colour, alpha=0.4, markersize=4)
        if (spread := interval(sample.values)) is not None:
            axes.plot(spread, [row, row], color=colour, linewidth=2.0)
        axes.plot([statistics.fmean(sample.values)], [row], "|", color=colour, markersize=14, markeredgewidth=2.5)
    before = samples.get(BEFORE)
    if before is not None and before.mean is not None:
        axes.axvline(before.mean, color=GREY, linestyle="--", linewidth=1.0)
    axes.set_yticks(range(len(shown)), [sample.variant for sample in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("accuracy in percent")
    return figure
