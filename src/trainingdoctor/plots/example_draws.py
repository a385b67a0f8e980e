"""The picture of one training image and one evaluation image, drawn again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from trainingdoctor.plots.augmentation import brightness
from trainingdoctor.plots.canvas import new_figure

if TYPE_CHECKING:
    from trainingdoctor.measure.example_draws import ExampleDraws

# Eight draws stand in two rows of four, one image's above the other's: side by side they would be stamps on a phone.
COLUMNS = 4
# A grey that can be read on white and on black.
READABLE = "#767676"


def draw(draws: ExampleDraws) -> Figure:
    """The training image's draws above, the evaluation image's below, on one scale of brightness; on no background."""
    sides = [("training", brightness(draws.training))]
    if draws.evaluation is not None:
        sides.append(("evaluation", brightness(draws.evaluation, like=draws.training)))
    rows = -(-len(draws.training) // COLUMNS)
    figure = new_figure(4.8, len(sides) * (1.15 * rows + 0.3))
    figure.set_facecolor("none")
    for part, (title, shown) in zip(figure.subfigures(len(sides), 1, squeeze=False)[:, 0], sides, strict=True):
        part.set_facecolor("none")
        part.suptitle(title, x=0.01, ha="left", fontsize=10, color=READABLE)
        grid = list(part.subplots(rows, COLUMNS, squeeze=False).flat)
        for axes in grid:
            axes.set_axis_off()
        for axes, image in zip(grid, shown[:, 0], strict=False):
            _show(axes, image)
    return figure


def _show(axes: Axes, image: Tensor) -> None:
    pixels = image.permute(1, 2, 0).numpy()
    axes.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=1)
