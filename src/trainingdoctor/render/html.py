"""The report as one HTML file: nothing is loaded from anywhere, and what comes from the user's code is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from trainingdoctor.costs import cost_of
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.render.pictures import Exhibit, Picture
from trainingdoctor.render.printable import printable
from trainingdoctor.render.unexamined import gone_from, unexamined
from trainingdoctor.report import Outcome, Report, causes

SECTIONS = {
    "causes": "Root causes",
    "pictures": "What was measured",
    "infos": "Worth knowing",
    "gone": "No longer found",
    "training": "The training",
    "crashed": "Could not run",
    "unexamined": "Not examined",
    "checks": "All checks",
}
MARKS = {Severity.CRITICAL: "✗", Severity.WARNING: "!", Severity.INFO: "i"}


def render_html(report: Report, drawn: Sequence[Exhibit] = ()) -> str:
    """Verdict and root causes first, pictures, then what was not examined and every check."""
    report = printable(report)
    content = {
        "causes": [(_told(root), [_told(s) for s in symptoms]) for root, symptoms in causes(report.findings)],
        "pictures": encoded(drawn),
        "infos": [_told(f) for f in report.findings if f.severity is Severity.INFO],
        "gone": gone_from(report),
        "training": True,
        "crashed": [r for r in report.results if r.outcome is Outcome.CRASHED] or report.broken,
        "unexamined": unexamined(report),
        "checks": [(r, "; ".join(n.message for n in r.notes) or r.reason) for r in report.results],
    }
    return template("report.html.j2").render(
        **content | {"crashed": [r for r in report.results if r.outcome is Outcome.CRASHED]},
        report=report,
        sections=[(name, title) for name, title in SECTIONS.items() if content[name]],
        known=sum(f.known for f in report.findings),
        facts=list(_facts(report.training)),
        version=_version(),
    )


def encoded(drawn: Sequence[Exhibit]) -> list[tuple[Exhibit, str | None]]:
    """Pictures with their files in base64; tables as they are."""
    return [(shown, base64.b64encode(shown.png).decode() if isinstance(shown, Picture) else None) for shown in drawn]


def _told(finding: Finding) -> dict[str, Any]:
    cost = cost_of(finding)
    return {"finding": finding, "mark": MARKS[finding.severity], "cost": None if cost is None else str(cost)}


def _facts(training: Any) -> list[tuple[str, str]]:
    """What was examined, a line for each field."""
    found = []
    for name, value in training.items():
        parts = value if isinstance(value, list | tuple) else [value]
        found.append((name.replace("_", " "), "; ".join(_plain(part) for part in parts)))
    return found


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_plain(v)}" if k != "class" else str(v) for k, v in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _version() -> str:
    from trainingdoctor import __version__

    return __version__


@cache
def template(name: str) -> Template:
    """A page. What is put into it is escaped, and what it asks for and does not get is an error."""
    environment = Environment(
        loader=PackageLoader("trainingdoctor.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(name)
