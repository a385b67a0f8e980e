"""The picture of a schedule."""

from textwrap import fill
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, GREY, RED, Target, axes_for, delivered, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.schedule import ScheduleTrace

# From here on only a logarithmic axis shows the low rates.
WIDE = 50.0


def draw(trace: "ScheduleTrace", target: Target) -> Figure:
    """Rate against epochs; logarithmic for step decays over a wide range."""
    figure, axes = axes_for(target, 8.0, 4.0)
    tidy(axes)
    per_epoch = trace.steps_per_epoch or 1 if trace.interval == "step" and trace.scheduler is not None else 1
    calls = len(trace.rates)
    edges = [i / per_epoch for i in range(calls + 1)]
    axes.plot(edges, [*trace.rates, trace.rates[-1]], color=BLUE, linewidth=2.0, drawstyle="steps-post")
    if min(trace.rates) > 0 and trace.peak > WIDE * min(trace.rates) and len(set(trace.rates)) <= 12:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0.0, *trace.rates), top=1.12 * trace.peak if trace.peak > 0 else None)
    axes.set_xlim(0, max(trace.epochs, edges[-1]))
    _annotate(axes, trace, edges)
    axes.set_xlabel("epoch")
    axes.set_ylabel("learning rate of the first parameter group")
    name = trace.scheduler or "no scheduler"
    adaptive = " (follows a metric: drawn as if it never fired)" if trace.adaptive else ""
    axes.set_title(f"{name}{adaptive}: peak {trace.peak:.3g}, ends at {trace.final:.3g}", loc="left", fontsize=11)
    return delivered(figure, target)


def _annotate(axes: Axes, trace: "ScheduleTrace", edges: list[float]) -> None:
    """A dot at the peak; a line where the scheduler raises, or where the simulation stops."""
    if not trace.constant:
        axes.plot([edges[trace.rates.index(trace.peak)]], [trace.peak], marker="o", color=BLUE, markersize=5)
    if trace.error is not None:
        _line(axes, edges[-1], RED, fill(f"raises here: {trace.error}", 34, max_lines=5))
    elif edges[-1] < trace.epochs:
        _line(axes, edges[-1], GREY, "simulated to here")


def _line(axes: Axes, x: float, colour: str, words: str) -> None:
    axes.axvline(x, color=colour, linestyle="--", linewidth=1.4)
    right = x < 0.6 * axes.get_xlim()[1]
    axes.annotate(
        words,
        (x, 0.97),
        (6 if right else -6, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        color=colour,
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2},
    )
