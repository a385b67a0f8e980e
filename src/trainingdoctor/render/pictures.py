"""Pictures of what was measured, for the HTML report: drawn where the evidence is, kept as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainingdoctor.errors import Unavailable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """title: its heading.  words: what it shows, for who cannot see it.  png: the file."""

    title: str
    words: str
    png: bytes


def pictures(known: Mapping[str, Any]) -> tuple[Picture, ...]:
    """One of each evidence that was measured and can be drawn. known: evidence by name; errors among them are left out."""
    found = []
    for name, title, draw, words in _DRAWN:
        value = known.get(name)
        if value is None or isinstance(value, BaseException):
            continue
        try:
            found.append(Picture(title, words(value), _png(draw(value))))
        except Unavailable:
            continue
    return tuple(found)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=96)
    return buffer.getvalue()


def _rates(trials: Any) -> Figure:
    from trainingdoctor.plots.trials import draw

    return draw(trials)


def _by_depth(reference: Any) -> Figure:
    from trainingdoctor.plots.depth import draw

    return draw(reference)


def _plot(value: Any) -> Figure:
    figure: Figure = value.plot()
    return figure


def _said_of_pairs(pairs: Any) -> str:
    kinds = ", ".join(f"{name} in {share:.0%}" for name, share in pairs.kinds.items())
    return f"{pairs.samples} samples drawn {pairs.draws} times each: {kinds or 'all draws of a sample are the same'}."


def _said_of_schedule(trace: Any) -> str:
    return f"The learning rate over {trace.epochs} epochs: it begins at {trace.initial:.3g}, peaks at {trace.peak:.3g}, ends at {trace.final:.3g}."


def _said_of_trials(trials: Any) -> str:
    ends = ", ".join(f"{trials.peak * t.factor:.2g} ends at {t.end:.2f}" for t in trials.trials)
    return f"Losses of {trials.steps} steps of training at several rates, the run's own peak being {trials.peak:.3g}: {ends}."


def _said_of_depth(reference: Any) -> str:
    ratios = reference.scale_ratios()
    worst = max(ratios, key=lambda name: max(ratios[name], 1 / ratios[name]), default=None)
    beyond = f"; {worst} is {ratios[worst]:.2g} times what it should be" if worst and ratios[worst] != 1 else ""
    return f"Size of the outputs of {len(ratios) + 1} convolutions and linear layers, beside the same net freshly initialized{beyond}."


_DRAWN: tuple[tuple[str, str, Callable[[Any], Any], Callable[[Any], str]], ...] = (
    ("augmentation_pairs", "What the net sees in training", _plot, _said_of_pairs),
    ("evaluation_pairs", "What it sees in evaluation", _plot, _said_of_pairs),
    ("schedule_trace", "The learning rate of the whole run, simulated", _plot, _said_of_schedule),
    ("rate_trials", "Trial trainings at several rates", _rates, _said_of_trials),
    ("reference_init", "The signal by depth, before training", _by_depth, _said_of_depth),
)
