"""The report as Markdown, for issues and pull requests."""

from __future__ import annotations

import re

from trainingdoctor.finding import Finding, Severity
from trainingdoctor.render.printable import printable
from trainingdoctor.render.unexamined import gone_from, unexamined
from trainingdoctor.report import Outcome, Report, causes

# What Markdown would read as markup.
SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def render_markdown(report: Report) -> str:
    """Root causes with their remedies, crashed checks, the infos folded, and what was not examined."""
    report = printable(report)
    told = causes(report.findings)
    infos = [f for f in report.findings if f.severity is Severity.INFO]
    lines = [f"## {report.verdict.value}: {escaped(report.target)}", ""]
    for root, symptoms in told:
        lines += _finding(root)
        lines += [f"- explains `{s.code}`{_known(s)}: {escaped(s.message)}" for s in symptoms]
        lines.append("")
    if not told:
        lines += [f"Nothing found{', as far as it was examined' if unexamined(report) else ''}.", ""]
    if gone := gone_from(report):
        lines += [*(f"- {escaped(sentence)}" for sentence in gone), ""]
    crashed = [f"{r.code} crashed: {r.reason}" for r in report.results if r.outcome is Outcome.CRASHED]
    lines += [*(f"- {escaped(sentence)}" for sentence in (*crashed, *report.broken)), ""]
    lines += _folded("worth knowing", [f"- `{f.code}`{_known(f)}: {escaped(f.message)}" for f in infos])
    groups = unexamined(report).items()
    lines += _folded(
        "not examined", [f"- {escaped(why)}: {', '.join(f'`{c}`' for c in codes)}" for why, codes in groups]
    )
    return "\n".join(lines)


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>", ""] if lines else []


def _known(finding: Finding) -> str:
    return " (known)" if finding.known else ""


def _finding(finding: Finding) -> list[str]:
    where = f" (at {', '.join(map(code_span, finding.where[:4]))})" if finding.where else ""
    fence = "`" * (3 + max((len(run) for run in re.findall("`+", finding.remedy)), default=0))
    return [
        f"### `{finding.code}` ({finding.severity.value}{', known' if finding.known else ''})",
        "",
        f"{escaped(finding.message)}{where}",
        "",
        f"{fence}python",
        finding.remedy,
        fence,
    ]


def code_span(text: str) -> str:
    """`text` as code in a line, whatever backticks it holds."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"


def escaped(text: str) -> str:
    """Without markup."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
