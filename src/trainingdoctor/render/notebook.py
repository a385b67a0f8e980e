"""What notebooks show of results: small, without scripts, on whatever background the notebook has."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import escape

from trainingdoctor.errors import Unavailable
from trainingdoctor.finding import Severity
from trainingdoctor.render.unexamined import unexamined
from trainingdoctor.report import Outcome, Report, Verdict, causes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Readable on white and on black.
COLOURS = {Severity.CRITICAL: "#d0453a", Severity.WARNING: "#b9770e", Severity.INFO: "#3b86b5"}
MARKS = {Verdict.HEALTHY: "✓", Verdict.UNWELL: "✗", Verdict.UNDECIDED: "?"}


def report_html(report: Report) -> str:
    """Verdict, root causes with their remedies, and folded what else there is."""
    from trainingdoctor.render.html import template

    told = causes(report.findings)
    roots = f"{len(told)} root cause{'s' if len(told) > 1 else ''}" if told else "nothing found"
    return template("notebook.html.j2").render(
        report=report,
        mark=MARKS[report.verdict],
        headline=f"{roots}, {len(report.results)} checks, {report.seconds:.1f} s",
        causes=told,
        colours=COLOURS,
        infos=[f for f in report.findings if f.severity is Severity.INFO],
        unexamined=unexamined(report),
        crashed=[r for r in report.results if r.outcome is Outcome.CRASHED],
    )


def picture_html(draw: Callable[[], Figure], words: str) -> str | None:
    """A figure with what it shows in words; None where there is nothing to draw, so that the notebook shows the repr."""
    try:
        figure = draw()
    except Unavailable:
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=96)
    data = base64.b64encode(buffer.getvalue()).decode()
    style = "max-width: 100%; background: #fff"
    return f'<div><img alt="{escape(words)}" style="{style}" src="data:image/png;base64,{data}"><p>{escape(words)}</p></div>'
