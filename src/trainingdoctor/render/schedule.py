"""A schedule in a few lines of text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from trainingdoctor.measure.schedule import ScheduleTrace


def lines(trace: "ScheduleTrace", name: str) -> Iterator[Text]:
    """Headline, peak, start, end and mean of the rate, and what went wrong."""
    unit = "step" if trace.interval == "step" and trace.scheduler else "epoch"
    calls = trace.epochs * (trace.steps_per_epoch or 1) if unit == "step" else trace.epochs
    what = trace.scheduler or "no scheduler"
    yield Text.assemble(
        (name, "bold"),
        f"  {what}, {calls} {unit}s"
        if unit == "epoch"
        else f"  {what}, {trace.epochs} epochs of {trace.steps_per_epoch} steps",
    )
    peak = trace.rates.index(trace.peak)
    yield _line("first", trace.initial, "")
    yield _line("peak", trace.peak, "throughout" if trace.constant else f"in {unit} {peak + 1} of {calls}")
    yield _line("last", trace.final, "")
    yield _line("mean", sum(trace.rates) / len(trace.rates), f"{trace.mean_over_peak:.0%} of the peak")
    if trace.adaptive:
        yield Text("  The scheduler follows a metric: this is its rate if it never fires.", "yellow")
    if trace.error is not None:
        yield Text(f"  After {trace.failed_at} {unit}s: {trace.error}", "bold red")


def _line(what: str, value: float, why: str) -> Text:
    return Text.assemble(f"  {what:10}", (f"{value:<12.4g}", "bold"), (why, "dim"))
