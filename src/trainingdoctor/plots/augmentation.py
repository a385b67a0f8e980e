"""The picture of an augmentation: the same samples, drawn several times."""

from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from torch import Tensor

from trainingdoctor.errors import Unavailable
from trainingdoctor.plots.canvas import Path, delivered, new_figure

if TYPE_CHECKING:
    from trainingdoctor.measure.augmentation import AugmentationPairs

MOST_DRAWS = 8


def draw(pairs: "AugmentationPairs", target: Path | None) -> Figure:
    """A sample per row, a draw per column, all on one scale of brightness."""
    if pairs.pictures is None:
        raise Unavailable("the samples are no images: there is nothing to draw")
    shown = brightness(pairs.pictures)[:MOST_DRAWS]
    draws, samples = shown.shape[:2]
    figure = new_figure(1.1 * draws + 0.3, 1.1 * samples + 0.7)
    grid = figure.subplots(samples, draws, squeeze=False)
    for row in range(samples):
        for column in range(draws):
            axes = grid[row][column]
            image = shown[column, row].permute(1, 2, 0).numpy()
            axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(f"draw {column + 1}", fontsize=9)
    figure.suptitle(_title(pairs), x=0.01, ha="left", fontsize=10)
    return delivered(figure, target)


def brightness(pictures: Tensor, like: Tensor | None = None) -> Tensor:
    """Values between 0 and 1, whatever the normalization: the 1st to 99th percentile of each channel over all.

    like: pictures whose scale is taken instead.
    """
    colours = pictures[:, :, :3].float().nan_to_num()
    flat = (colours if like is None else like[:, :, :3].float().nan_to_num()).transpose(0, 2).flatten(1)
    # Every k-th value is enough for a percentile, and torch.quantile takes 16 million at most.
    flat = flat[:, :: max(1, flat.shape[1] // 100_000)]
    low, high = torch.quantile(flat, 0.01, dim=1), torch.quantile(flat, 0.99, dim=1)
    shape = (1, 1, -1, 1, 1)
    return ((colours - low.view(shape)) / (high - low).clamp_min(1e-12).view(shape)).clamp(0, 1)


def _title(pairs: "AugmentationPairs") -> str:
    if not pairs.varies:
        return "no augmentation: every draw of a sample is the same"
    kinds = ", ".join(f"{name} {share:.0%}" for name, share in sorted(pairs.kinds.items(), key=lambda k: -k[1]))
    return f"the same samples, drawn again: {kinds}"
