"""The picture of one step: activations, gradients and updates by depth."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, Path, delivered, new_figure, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.one_step import OneStep

# More names than this along an axis cannot be read: every k-th is written.
NAMES = 24


def draw(step: "OneStep", target: Path | None) -> Figure:
    """Three panels over the layers: activations' spread, gradients against weights, updates against weights."""
    updates = any(p.update is not None for p in step.weights)
    figure = new_figure(9.0, 8.6 if updates else 6.2)
    panels = figure.subplots(3 if updates else 2, 1)
    figure.suptitle(f"One step on {step.batch_size} samples: loss {step.loss:.3g}", x=0.01, ha="left", fontsize=11)
    _activations(panels[0], step)
    names = [p.name for p in step.weights]
    gradients = [None if p.gradient is None or not p.weight else p.gradient / p.weight for p in step.weights]
    _bars(panels[1], names, gradients, ORANGE, "|gradient| / |weight|", "gradients, by depth")
    if updates:
        _bars(panels[2], names, [p.update for p in step.weights], GREEN, "|change| / |weight|", "updates, by depth")
        panels[2].axhline(1e-3, color=GREY, linestyle="--", linewidth=1.0)
        panels[2].annotate("1e-3", (1.0, 1e-3), xycoords=("axes fraction", "data"), fontsize=8, color=GREY)
    return delivered(figure, target)


def _activations(axes: Axes, step: "OneStep") -> None:
    stds = [a.std for a in step.activations]
    _bars(
        axes,
        [a.name for a in step.activations],
        stds,
        BLUE,
        "standard deviation of the output",
        "activations, in the order they ran",
    )
    for i, activation in enumerate(step.activations):
        if not activation.finite:
            axes.axvline(i, color=RED, linewidth=1.6)
            axes.annotate(
                f"first NaN or infinity: {activation.name}",
                (i, 1.0),
                (4, -12),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                color=RED,
                fontsize=9,
            )
            break


def _bars(
    axes: Axes, names: Sequence[str], values: Sequence[float | None], colour: str, label: str, title: str
) -> None:
    """One mark per layer on a logarithmic axis; what is zero or missing is a cross at the bottom."""
    tidy(axes)
    known = [(i, v) for i, v in enumerate(values) if v is not None and math.isfinite(v) and v > 0]
    absent = [i for i, v in enumerate(values) if v is None or v == 0]
    axes.plot([i for i, _ in known], [v for _, v in known], color=colour, marker="o", markersize=3.5, linewidth=1.2)
    axes.set_yscale("log")
    if absent:
        axes.plot(
            absent, [0.03] * len(absent), "x", color=RED, transform=axes.get_xaxis_transform(), label="zero or none"
        )
        axes.legend(loc="best", fontsize=8, frameon=False)
    every = max(1, math.ceil(len(names) / NAMES))
    axes.set_xticks(range(0, len(names), every), [_short(n) for n in names[::every]], rotation=90, fontsize=7)
    axes.set_xlim(-0.5, max(len(names) - 0.5, 0.5))
    axes.set_ylabel(label, fontsize=9)
    axes.set_title(title, loc="left", fontsize=10)


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"…{name[-21:]}"
