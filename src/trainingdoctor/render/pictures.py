"""What was measured, to be looked at, for the HTML report: drawn where the evidence is, kept as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainingdoctor.errors import Unavailable
from trainingdoctor.render import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Measured for the pictures alone, where no check has asked for it.
ASKED = ("example_draws", "batchnorm_statistics", "targets", "recipe_gap")
# Dots per inch: twice a screen's, so that letters stay sharp on a phone.
DOTS = 120


@dataclass(frozen=True)
class Picture:
    """title: its heading.  words: what it shows, for who cannot see it.  png: the file.  photo: shows images, whose colours matter."""

    title: str
    words: str
    png: bytes
    photo: bool = False


@dataclass(frozen=True)
class Table:
    """title: its heading.  words: what it shows.  head: of the columns; the first one names the rows."""

    title: str
    words: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Exhibit = Picture | Table


def pictures(known: Mapping[str, Any]) -> tuple[Exhibit, ...]:
    """One of each evidence that was measured and can be shown. known: evidence by name; errors among them are left out."""
    measured = {
        name: value for name, value in known.items() if value is not None and not isinstance(value, BaseException)
    }
    found: list[Exhibit] = []
    for name, title, say, draw in _DRAWN:
        if name not in measured:
            continue
        try:
            found.append(Picture(title, say(measured), png(draw(measured)), photo=name == "example_draws"))
        except (Unavailable, ArithmeticError, ValueError):
            # matplotlib's ValueError: numbers that no axis holds, as of a training that is beyond help.
            continue
    return (*found, *_tables(measured))


def png(figure: Figure) -> bytes:
    """The file of a figure, whose dots per inch are set to DOTS."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    figure.set_dpi(DOTS)
    # `savefig` goes through the whole figure once more, for its layout alone: a fifth of the time.
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


Known = Mapping[str, Any]


def _draws(known: Known) -> Figure:
    from trainingdoctor.plots.example_draws import draw

    return draw(known["example_draws"])


def _timeline(known: Known) -> Figure:
    from trainingdoctor.plots.timeline import draw

    if not known["loop_trace"].moments:
        raise Unavailable("nothing happened")
    return draw(known["loop_trace"])


def _curve(known: Known) -> Figure:
    from trainingdoctor.plots.canvas import axes_for

    figure, axes = axes_for(None, 5.6, 3.8)
    known["lr_curve"].plot(axes)
    axes.set_ylabel("training loss")
    axes.set_xlabel("learning rate (log scale)")
    return figure


def _trials(known: Known) -> Figure:
    from trainingdoctor.plots.trials import draw

    return draw(known["rate_trials"], known.get("schedule_trace"))


def _schedule(known: Known) -> Figure:
    from trainingdoctor.plots.canvas import axes_for

    figure, axes = axes_for(None, 5.6, 3.2)
    known["schedule_trace"].plot(axes)
    axes.set_ylabel("learning rate")
    return figure


def _depth(known: Known) -> Figure:
    from trainingdoctor.plots.depth import draw

    return draw(known["reference_init"])


def _batchnorm(known: Known) -> Figure:
    from trainingdoctor.plots.batchnorm import draw

    return draw(known["batchnorm_statistics"])


def _classes(known: Known) -> Figure:
    from trainingdoctor.plots.classes import draw

    if len(known["targets"].counts) < 2:
        raise Unavailable("there are no classes to count")
    return draw(known["targets"], getattr(known.get("dataset_facts"), "classes", ()))


# Evidence, heading, what it shows in words, and how it is drawn.
_DRAWN: tuple[tuple[str, str, Callable[[Known], str], Callable[[Known], Figure]], ...] = (
    ("example_draws", "One image, drawn again and again", words.of_draws, _draws),
    ("loop_trace", "The loop as it ran", words.of_loop, _timeline),
    ("lr_curve", "Range test of the learning rate", words.of_curve, _curve),
    ("rate_trials", "Trial trainings at several rates", words.of_trials, _trials),
    ("schedule_trace", "The learning rate of the whole run, simulated", words.of_schedule, _schedule),
    ("reference_init", "Signal and gradient by depth, before training", words.of_depth, _depth),
    ("batchnorm_statistics", "BatchNorm: running against batch statistics", words.of_batchnorm, _batchnorm),
    ("targets", "How often each class occurs", words.of_classes, _classes),
)


def _tables(known: Known) -> tuple[Table, ...]:
    gap = known.get("recipe_gap")
    if gap is None or not gap.differences:
        return ()
    rows = tuple(
        (d.item, d.here, d.there, "not measured" if d.points is None else f"{d.points:g} points ({d.source})")
        for d in gap.differences
    )
    return (Table("Against the known recipe", words.of_gap(gap), ("what", "here", "there", "what it costs"), rows),)
