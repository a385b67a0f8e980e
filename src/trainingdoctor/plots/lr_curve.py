"""The picture of a range test."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, GREEN, GREY, RED, Target, axes_for, delivered, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.lr_range import LrCurve


def draw(curve: "LrCurve", target: Target) -> Figure:
    """Loss against rate, logarithmic: each seed thin, the smoothed median thick, the interval shaded, the own rate."""
    figure, axes = axes_for(target)
    tidy(axes)
    axes.set_xscale("log")
    for i, run in enumerate(curve.losses):
        rates, losses = curve.rates[: len(run) - 1], run[1:]
        label = f"{curve.seeds} seed{'s' if curve.seeds > 1 else ''}" if i == 0 else None
        axes.plot(rates[: len(losses)], losses, color=GREY, alpha=0.55, linewidth=0.7, label=label)
    median = "smoothed loss, median over the seeds" if curve.seeds > 1 else "smoothed loss"
    axes.plot(curve.rates[: len(curve.loss)], curve.loss, color=BLUE, linewidth=2.2, label=median)
    axes.set_xlim(min(curve.rates[0], curve.rate), max(curve.rates[-1], curve.rate))
    axes.set_ylim(*_limits(curve))
    _mark_stable(axes, curve)
    _mark_rate(axes, curve)
    axes.set_xlabel("learning rate of the first parameter group (log scale)")
    axes.set_ylabel(f"training loss after the step at that rate{_per_step(curve)}")
    axes.set_title(_title(curve), loc="left", fontsize=11)
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    return delivered(figure, target)


def _mark_stable(axes: Axes, curve: "LrCurve") -> None:
    if curve.stable is None:
        return
    low, edge = curve.stable
    label = f"stable: {low:.2g} to {edge:.2g}" + (" at least" if curve.open else "")
    axes.axvspan(low, edge, color=GREEN, alpha=0.12, linewidth=0, label=label)
    if curve.suggested is not None and curve.suggested[0] < curve.suggested[1]:
        a, b = curve.suggested
        axes.axvspan(a, b, color=GREEN, alpha=0.18, linewidth=0, label=f"suggested: {a:.2g} to {b:.2g}")


def _mark_rate(axes: Axes, curve: "LrCurve") -> None:
    if curve.rate <= 0:
        return
    axes.axvline(curve.rate, color=RED, linewidth=1.6, linestyle="--")
    # On the side where there is more room.
    left, right = axes.get_xlim()
    before = curve.rate > math.sqrt(left * right)
    axes.annotate(
        f"your rate: {curve.rate:.3g}",
        (curve.rate, 0.98),
        (-5 if before else 5, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if before else "left",
        va="top",
        color=RED,
        fontsize=10,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2},
    )


def _limits(curve: "LrCurve") -> tuple[float, float]:
    """The range of the losses that tell something; what climbs away leaves the picture at the top."""
    start = curve.shape.start
    finite = [x for run in curve.losses for x in run if math.isfinite(x)] or [0.0]
    low = min(finite)
    high = max(_quantile(finite, 0.98), *curve.loss) if curve.loss else max(finite)
    if math.isfinite(start):
        high = min(high, start + 1.5 * max(start - low, 1e-12, abs(start) * 0.05))
        high = max(high, start)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _per_step(curve: "LrCurve") -> str:
    return f" ({curve.accumulate} batches)" if curve.accumulate > 1 else ""


def _title(curve: "LrCurve") -> str:
    if curve.stable is None:
        return "Range test: no stable interval, nothing was learned at any rate"
    place = {
        "below": "lies below the stable interval",
        "inside": "lies inside the stable interval",
        "above": "lies above the stable edge",
        "unknown": "is beyond the rates tried",
    }[curve.place]
    return f"Range test: your rate {curve.rate:.3g} {place}"
