"""The picture of signal and gradient by depth, beside those of the same architecture when it is healthy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainingdoctor.measure.reference_init import WEIGHTED
from trainingdoctor.plots.canvas import BLUE, GREY, count_along, legend_above, logarithmic, new_figure, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.reference_init import ReferenceInit


def draw(reference: ReferenceInit) -> Figure:
    """Above the spread of each layer's output, below the norm of its gradient; the band of fresh initializations in grey."""
    figure = new_figure(5.6, 5.6)
    signal, gradient = figure.subplots(2, 1)
    steps = (reference.own, *reference.references)
    _band(signal, [_sizes(step) for step in steps], "deviation of the output")
    _band(gradient, [_gradients(step) for step in steps], "norm of the gradient")
    gradient.set_xlabel("convolution or linear layer, in the order they run")
    legend_above(signal)
    return figure


def _band(axes: Axes, sizes: Sequence[Mapping[str, float]], label: str) -> None:
    """The first one's sizes as a line, the others' as a band."""
    tidy(axes)
    count_along(axes)
    own, *others = sizes
    names = [name for name in own if all(name in other for other in others)]
    steps = range(1, len(names) + 1)
    low, high = ([pick(other[name] for other in others) for name in names] for pick in (min, max))
    axes.fill_between(steps, low, high, color=GREY, alpha=0.35, label="freshly initialized")
    axes.plot(steps, high, color=GREY, linewidth=0.8)
    axes.plot(steps, [own[name] for name in names], color=BLUE, linewidth=1.8, label="this model")
    if names:
        logarithmic(axes.yaxis)
    axes.set_ylabel(label)


def _sizes(step: OneStep) -> dict[str, float]:
    return {a.name: a.std for a in step.activations if 0 < a.std < math.inf and a.kind in WEIGHTED}


def _gradients(step: OneStep) -> dict[str, float]:
    """Of the weights, in the order in which their layers run."""
    norms = {
        p.name.removesuffix(".weight"): p.gradient for p in step.weights if p.gradient and math.isfinite(p.gradient)
    }
    return {a.name: norm for a in step.activations if (norm := norms.get(a.name)) is not None}
