"""The picture of how often each class occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from trainingdoctor.plots.canvas import BLUE, axes_for, tidy

if TYPE_CHECKING:
    from trainingdoctor.measure.targets import Targets

# More bars than this have no room for their names.
NAMED = 24


def draw(targets: Targets, names: Sequence[str] = ()) -> Figure:
    """A bar for each class, in their order. names: of the classes, where as many are known as there are."""
    count = len(targets.counts)
    figure, axes = axes_for(None, 5.6, 2.8)
    tidy(axes)
    axes.bar(range(count), list(targets.counts.values()), color=BLUE, width=0.8 if count <= NAMED else 1.0)
    if count <= NAMED:
        named = len(names) == count and list(targets.counts) == list(range(count))
        labels = [str(name)[:16] for name in names] if named else [str(value) for value in targets.counts]
        axes.set_xticks(range(count), labels, rotation=60 if named else 0, ha="right" if named else "center")
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("class")
    axes.set_ylabel("samples" if targets.complete else "samples drawn")
    return figure
