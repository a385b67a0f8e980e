"""The report as Markdown, for issues and pull requests."""

from __future__ import annotations

import re

from trainingdoctor.finding import Finding, Severity
from trainingdoctor.render.printable import printable
from trainingdoctor.render.unexamined import unexamined
from trainingdoctor.report import Report, causes

# What Markdown would read as markup.
SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def render_markdown(report: Report) -> str:
    """Root causes with their remedies, the infos folded, and what was not examined."""
    report = printable(report)
    told = causes(report.findings)
    infos = [f for f in report.findings if f.severity is Severity.INFO]
    lines = [f"## {report.verdict.value}: {escaped(report.target)}", ""]
    for root, symptoms in told:
        lines += _finding(root)
        lines += [f"- explains `{s.code}`: {escaped(s.message)}" for s in symptoms]
        lines.append("")
    if not told:
        lines += ["Nothing found.", ""]
    if infos:
        known = [f"- `{f.code}`: {escaped(f.message)}" for f in infos]
        lines += ["<details><summary>worth knowing</summary>", "", *known, "", "</details>", ""]
    missing = [
        f"- {escaped(reason)}: {', '.join(f'`{c}`' for c in codes)}" for reason, codes in unexamined(report).items()
    ]
    if missing:
        lines += ["<details><summary>not examined</summary>", "", *missing, "", "</details>", ""]
    return "\n".join(lines)


def _finding(finding: Finding) -> list[str]:
    where = f" (at {', '.join(map(code_span, finding.where[:4]))})" if finding.where else ""
    fence = "`" * (3 + max((len(run) for run in re.findall("`+", finding.remedy)), default=0))
    return [
        f"### `{finding.code}` ({finding.severity.value})",
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
