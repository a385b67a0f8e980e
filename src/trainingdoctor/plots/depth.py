"""The picture of the signal by depth, beside that of the same architecture when it is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from trainingdoctor.measure.reference_init import WEIGHTED
from trainingdoctor.plots.canvas import BLUE, GREY, axes_for, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.reference_init import ReferenceInit


def draw(reference: ReferenceInit) -> Figure:
    """Standard deviation of each convolution's and linear layer's output, in the order they run; the band of the two standard initializations in grey."""
    figure, axes = axes_for(None, 8.0, 4.0)
    tidy(axes)
    own = _sizes(reference.own)
    bands = [_sizes(step) for step in reference.references]
    names = [name for name in own if all(name in band for band in bands)]
    steps = range(1, len(names) + 1)
    low, high = ([pick(band[name] for band in bands) for name in names] for pick in (min, max))
    axes.fill_between(steps, low, high, color=GREY, alpha=0.35, label="freshly initialized")
    axes.plot(steps, high, color=GREY, linewidth=0.8)
    axes.plot(steps, [own[name] for name in names], color=BLUE, linewidth=2.0, label="this model")
    axes.set_yscale("log")
    axes.set_xlabel("convolution or linear layer, in the order they run")
    axes.set_ylabel("standard deviation of its output")
    axes.legend(frameon=False, fontsize=9)
    return figure


def _sizes(step: OneStep) -> dict[str, float]:
    return {a.name: a.std for a in step.activations if a.std > 0 and a.kind in WEIGHTED}
