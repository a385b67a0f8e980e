"""The picture of an observed loop: what happened, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.observing.seen import Moment
from trainingdoctor.observing.trace import MOMENTS, LoopTrace
from trainingdoctor.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, axes_for

TITLES = {
    "forward_train": "forward, train mode",
    "forward_eval": "forward, eval mode",
    "backward": "backward",
    "zero_grad": "gradients cleared",
    "step": "optimizer step",
    "scheduler": "scheduler step",
}
SHADES = {"training": BLUE, "evaluation": ORANGE}
# Beyond this the marks run together; the beginning tells how the loop is made.
SHOWN = 400


def draw(trace: LoopTrace) -> Figure:
    """A row for each kind of event, a mark for each time; passes of training and of evaluation shaded."""
    shown = trace.moments[:SHOWN]
    figure, axes = axes_for(None, 5.6, 2.9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    colours = (BLUE, ORANGE, GREY, GREEN, RED, BLUE)
    times = [[i for i, moment in enumerate(shown) if moment.kind == kind] for kind in MOMENTS]
    axes.eventplot(times, lineoffsets=range(len(MOMENTS)), linelengths=0.7, linewidths=1.0, colors=colours)
    for row, when in enumerate(times):
        if not when:
            axes.text(0, row, "never", color=RED, va="center", fontsize=9)
    _shade(axes, shown)
    axes.set_yticks(range(len(MOMENTS)), [TITLES[kind] for kind in MOMENTS])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(MOMENTS) - 0.5, -1.4)
    axes.set_xlim(-1, len(shown))
    more = f" (the first {SHOWN:,} of {len(trace.moments):,})" if len(trace.moments) > SHOWN else ""
    axes.set_xlabel(f"events in their order{more}")
    return figure


def _shade(axes: Axes, shown: Sequence[Moment]) -> None:
    """Each pass, with its name where there is room for it."""
    for (kind, _), group in groupby(enumerate(shown), key=lambda pair: (pair[1].within, pair[1].number)):
        places = [i for i, _ in group]
        if kind not in SHADES:
            continue
        axes.axvspan(places[0] - 0.5, places[-1] + 0.5, color=SHADES[kind], alpha=0.1, linewidth=0)
        if len(places) > 0.16 * len(shown):
            axes.text(places[0], -0.9, kind, fontsize=9, color=GREY, va="center")
