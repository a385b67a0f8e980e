"""A range test in a few lines of text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from trainingdoctor.measure.lr_range import LrCurve

PLACES = {"inside": "bold green", "below": "bold yellow", "above": "bold red", "unknown": "bold yellow"}


def lines(curve: "LrCurve", name: str) -> Iterator[Text]:
    """Headline, interval, steepest descent, suggestion, and the place of the user's rate."""
    runs = f"{curve.seeds} seed{'s' if curve.seeds > 1 else ''} of {len(curve.rates)} steps"
    ramp = f"from {curve.rates[0]:.2g} to {curve.rates[-1]:.2g}"
    yield Text.assemble((name, "bold"), f"  range test, {runs} {ramp}, {curve.seconds:.0f} s")
    if curve.stable is None or curve.suggested is None:
        yield _line("stable interval", "none", "bold yellow", curve.why_not or "")
        yield _line("your rate", f"{curve.rate:.3g}", "bold", "")
        return
    low, edge = curve.stable
    yield _line("stable interval", f"{low:.2g} to {edge:.2g}", "bold", _edges(curve))
    if curve.steepest is not None:
        yield _line("steepest descent", f"{curve.steepest:.2g}", "", "")
    a, b = curve.suggested
    yield _line("suggested", f"{a:.2g} to {b:.2g}", "bold green", "a fifth to a half of the edge")
    yield _line("your rate", f"{curve.rate:.3g}", PLACES[curve.place], place(curve))


def _line(what: str, value: str, style: str, why: str) -> Text:
    return Text.assemble(f"  {what:18}", (f"{value:20}", style), (why, "dim"))


def _edges(curve: "LrCurve") -> str:
    if curve.open:
        return f"the loss had not climbed yet at {curve.rates[-1]:.2g}: the edge is higher (raise the upper end)"
    if len(curve.edges) > 1:
        return f"edge of single seeds: {min(curve.edges):.2g} to {max(curve.edges):.2g}"
    return "from where the loss starts to fall to the last rate before it climbs"


def place(curve: "LrCurve") -> str:
    """Where the user's rate lies, in words."""
    if curve.stable is None:
        return "there is no stable interval to place it in"
    low, edge = curve.stable
    return {
        "above": f"above the stable edge, {curve.rate / edge:.2g} times it",
        "below": f"below the stable interval, which starts at {low / max(curve.rate, 1e-300):.2g} times it",
        "inside": f"inside the stable interval, at {curve.rate / edge:.0%} of the edge",
        "unknown": f"higher than any rate tried ({curve.rates[-1]:.2g})",
    }[curve.place]
