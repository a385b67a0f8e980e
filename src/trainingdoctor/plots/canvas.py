"""Where a picture goes: a file, the caller's axes, or nowhere but into the figure that is returned."""

import math
from os import PathLike
from pathlib import Path as FilePath

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from trainingdoctor.errors import UserError

Path = str | PathLike[str]
Target = Path | Axes | None

# Colours that are told apart by colour-blind readers too (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#7F7F7F"


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, in inches; pyplot and its global state are not touched."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def axes_for(target: Target, width: float = 8.0, height: float = 4.8) -> tuple[Figure, Axes]:
    """The axes to draw into: the caller's, or new ones."""
    if isinstance(target, Axes):
        figure = target.get_figure(root=True)
        assert figure is not None, "the axes belong to no figure"
        return figure, target
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def delivered(figure: Figure, target: Target) -> Figure:
    """The figure, saved where `target` is a path. Raises UserError where that cannot be written."""
    if target is None or isinstance(target, Axes):
        return figure
    require_writable(target)
    try:
        figure.savefig(FilePath(target), dpi=150)
    except OSError as error:
        raise UserError(f"the picture {target} cannot be written: {error.strerror}") from error
    return figure


def require_writable(target: Path) -> None:
    """Raise UserError for a folder that is not there or an ending that stands for no kind of picture."""
    path = FilePath(target)
    kinds = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in kinds:
        raise UserError(f"the picture {path} cannot be written: use an ending such as .png, .svg or .pdf")
    if not path.absolute().parent.is_dir():
        raise UserError(f"the picture {path} cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise UserError(f"the picture {path} cannot be written: it is a folder")


def count_along(axes: Axes) -> None:
    """Whole numbers along the horizontal axis: layers are counted."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def logarithmic(axis: XAxis | YAxis) -> None:
    """A logarithmic axis whose labels are plain numbers, also where it spans less than a decade."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    decades = math.log10(high / low) if 0 < low < high else 1.0
    steps = (1.0,) if decades > 4 else (1.0, 2.0, 5.0) if decades > 0.8 else tuple(1 + i / 2 for i in range(18))
    axis.set_major_locator(LogLocator(subs=steps, numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axis.set_minor_formatter(NullFormatter())


def legend_above(axes: Axes) -> None:
    """A legend that covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, fontsize=9, columnspacing=1.2)


def tidy(axes: Axes) -> None:
    """The common look: no frame at the top and the right, a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)
