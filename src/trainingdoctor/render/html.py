"""The report as one HTML file: nothing is loaded from anywhere, and what comes from the user's code is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from trainingdoctor.costs import measured_costs
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.render.pictures import Picture
from trainingdoctor.render.printable import printable
from trainingdoctor.render.unexamined import unexamined
from trainingdoctor.report import Outcome, Report, causes

MARKS = {Severity.CRITICAL: "✗", Severity.WARNING: "!", Severity.INFO: "i"}


def render_html(report: Report, drawn: Sequence[Picture] = ()) -> str:
    """Verdict and root causes first, pictures, then what was not examined and every check."""
    report = printable(report)
    return _template().render(
        report=report,
        causes=[(_told(root), [_told(s) for s in symptoms]) for root, symptoms in causes(report.findings)],
        infos=[_told(f) for f in report.findings if f.severity is Severity.INFO],
        facts=list(_facts(report.training)),
        pictures=[(p, base64.b64encode(p.png).decode()) for p in drawn],
        unexamined=unexamined(report),
        crashed=[r for r in report.results if r.outcome is Outcome.CRASHED],
        checks=[(r, "; ".join(n.message for n in r.notes) or r.reason) for r in report.results],
    )


def _told(finding: Finding) -> dict[str, Any]:
    cost = measured_costs().get(finding.code)
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


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("trainingdoctor.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html.j2")
