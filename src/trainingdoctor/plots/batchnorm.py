"""The picture of BatchNorm's running statistics against those of the batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.errors import Unavailable
from trainingdoctor.plots.canvas import BLUE, GREY, count_along, legend_above, logarithmic, new_figure, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.batchnorm_statistics import BatchNormStatistics

# Channels of less spread are dead: on a logarithmic axis they would squeeze all others.
LEAST = 1e-5


def draw(statistics: BatchNormStatistics) -> Figure:
    """A dot for each channel: its running standard deviation against the measured one. Below, how far the means are off."""
    figure = new_figure(5.6, 5.2)
    spread, drift = figure.subplots(2, 1, height_ratios=(3, 2))
    _deviations(spread, statistics)
    tidy(drift)
    count_along(drift)
    steps = range(1, len(statistics.layers) + 1)
    drift.plot(steps, [layer.drift for layer in statistics.layers], color=BLUE, marker="o", markersize=3, linewidth=1.2)
    drift.set_ylim(bottom=0)
    drift.set_xlabel("BatchNorm layer, in the order they run")
    drift.set_ylabel("mean off by\n(deviations)")
    return figure


def _deviations(axes: Axes, statistics: BatchNormStatistics) -> None:
    tidy(axes)
    batch = torch.cat([layer.std for layer in statistics.layers]).clamp_min(LEAST)
    running = torch.cat([layer.running_std for layer in statistics.layers]).clamp_min(LEAST)
    whole = batch.isfinite() & running.isfinite()
    batch, running = batch[whole], running[whole]
    if not len(batch):
        raise Unavailable("no channel has finite statistics")
    low, high = float(torch.minimum(batch, running).min()), float(torch.maximum(batch, running).max())
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1.0, label="equal")
    axes.plot(batch, running, ".", color=BLUE, markersize=3, alpha=0.6, label="a channel")
    logarithmic(axes.xaxis)
    logarithmic(axes.yaxis)
    axes.set_xlabel(f"deviation over {statistics.batches} batches of {statistics.batch_size}")
    axes.set_ylabel("running deviation")
    legend_above(axes)
