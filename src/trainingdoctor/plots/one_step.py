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
    """Panels over the layers: activations' spread, gradients against weights, and updates against weights if any."""
    updates = [p.update for p in step.weights]
    stepped = any(u is not None for u in updates)
    figure = new_figure(9.0, 7.6 if stepped else 5.6)
    panels = figure.subplots(3 if stepped else 2, 1)
    figure.suptitle(f"One step on {step.batch_size} samples: loss {step.loss:.3g}", x=0.01, ha="left", fontsize=11)
    _activations(panels[0], step)
    names = [p.name.removesuffix(".weight") for p in step.weights]
    gradients = [None if p.gradient is None or not p.weight else p.gradient / p.weight for p in step.weights]
    # Gradients and updates have the same layers below each other: named once.
    hidden = [""] * len(names)
    title = "gradients of the weights, by depth"
    _marks(panels[1], hidden if stepped else names, gradients, ORANGE, "|gradient| / |weight|", title)
    if stepped:
        _marks(panels[2], names, updates, GREEN, "|change| / |weight|", "updates of the weights, by depth")
        panels[2].axhline(1e-3, color=GREY, linestyle="--", linewidth=1.0, label="1e-3, the rule of thumb of CS231n")
        panels[2].legend(loc="best", fontsize=8, frameon=False)
    return delivered(figure, target)


def _activations(axes: Axes, step: "OneStep") -> None:
    stds = [a.std for a in step.activations]
    _marks(
        axes,
        [a.name for a in step.activations],
        stds,
        BLUE,
        "std of the output",
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


def _marks(
    axes: Axes, names: Sequence[str], values: Sequence[float | None], colour: str, label: str, title: str
) -> None:
    """One mark per layer on a logarithmic axis; what is zero or missing is a cross at the bottom."""
    tidy(axes)
    known = [(i, v) for i, v in enumerate(values) if v is not None and math.isfinite(v) and v > 0]
    absent = [i for i, v in enumerate(values) if v is None or v == 0]
    axes.plot([i for i, _ in known], [v for _, v in known], color=colour, marker="o", markersize=3.5, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_ylim(*_decades([v for _, v in known]))
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


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """Whole decades around the values: small differences look small."""
    low, high = (min(values), max(values)) if values else (0.5, 0.5)
    return 10.0 ** math.floor(math.log10(low / 1.2)), 10.0 ** math.ceil(math.log10(high * 1.2))


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"…{name[-21:]}"
