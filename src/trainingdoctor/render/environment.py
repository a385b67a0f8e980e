"""The environment's report: one verdict a line."""

import io

from rich.console import Console
from rich.text import Text

from trainingdoctor.render.terminal import HEADLINES, MARKS
from trainingdoctor.report import Outcome, Report, Result


def render_environment(report: Report, *, colour: bool) -> str:
    """Mark, code, what was found; under a finding the command that mends it."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=100 if not colour else None, force_terminal=colour, soft_wrap=True)
    word, style = HEADLINES[report.verdict]
    console.print(Text.assemble((word, style), "  environment"))
    for result in report.results:
        for line in _lines(result):
            console.print(line)
    return buffer.getvalue()


def _lines(result: Result) -> list[Text]:
    name = f"{result.code.removeprefix('env.'):26}"
    if result.outcome is Outcome.CRASHED:
        return [Text.assemble(("† ", "magenta"), name, f"crashed: {result.reason}")]
    if result.outcome is Outcome.SKIPPED:
        return [Text.assemble(("- ", "dim"), (name, "dim"), (f"not examined: {result.reason}", "dim"))]
    lines = [Text.assemble(("✓ ", "green"), name, note.message) for note in result.notes]
    for finding in result.findings:
        mark, style = MARKS[finding.severity]
        lines.append(Text.assemble((f"{mark} ", style), (name, style), finding.message))
        lines.append(Text.assemble("  ", " " * 26, ("→ ", "green"), finding.remedy))
    return lines
