"""The picture of a schedule."""

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
    middle = edges[trace.rates.index(trace.peak)]
    if not trace.constant:
        axes.plot([middle], [trace.peak], marker="o", color=BLUE, markersize=5)
    if trace.error is not None:
        axes.axvline(edges[-1], color=RED, linestyle="--", linewidth=1.4)
        words = f"raises here:\n{trace.error[:60]}"
        axes.annotate(
            words,
            (edges[-1], trace.peak),
            (-6, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=RED,
            fontsize=9,
        )
    elif edges[-1] < trace.epochs:
        axes.axvline(edges[-1], color=GREY, linestyle="--", linewidth=1.0)
        axes.annotate(
            "simulated to here", (edges[-1], trace.peak), (4, 0), textcoords="offset points", color=GREY, fontsize=9
        )
