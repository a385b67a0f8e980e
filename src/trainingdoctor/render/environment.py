"""The environment's report: one verdict a line."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainingdoctor.render.terminal import HEADLINES, MARKS
from trainingdoctor.report import Outcome, Report, Result

# As many checks that say the same ("no NVIDIA GPU here") share a line.
SEVERAL = 3


@dataclass(frozen=True)
class _Line:
    mark: str
    style: str
    name: str
    text: Text


def print_environment(report: Report, console: Console) -> None:
    """Mark, code, what was found; under a finding what mends it; what many checks have to say alike, once."""
    word, style = HEADLINES[report.verdict]
    console.print(Text.assemble((word, style), "  environment"))
    table = Table.grid(padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    alike = _said_alike(report)
    for result in report.results:
        for line in _lines(result):
            if line.text.plain not in alike:
                table.add_row(Text(line.mark, line.style), Text(line.name, line.style), line.text)
    for text, names in alike.items():
        table.add_row(Text("✓", "green"), Text(f"{len(names)} more", "green"), f"{text} ({', '.join(names)})")
    console.print(table)


def _said_alike(report: Report) -> dict[str, list[str]]:
    said: dict[str, list[str]] = defaultdict(list)
    for result in report.results:
        for note in result.notes:
            said[note.message].append(_name(result))
    return {text: names for text, names in said.items() if len(names) >= SEVERAL}


def _name(result: Result) -> str:
    return result.code.removeprefix("env.")


def _lines(result: Result) -> Iterator[_Line]:
    name = _name(result)
    if result.outcome is Outcome.CRASHED:
        yield _Line("†", "magenta", name, Text(f"crashed: {result.reason}"))
    if result.outcome is Outcome.SKIPPED:
        yield _Line("-", "dim", name, Text(f"not examined: {result.reason}", "dim"))
    for note in result.notes:
        yield _Line("✓", "green", name, Text(note.message))
    for finding in result.findings:
        mark, style = MARKS[finding.severity]
        yield _Line(mark, style, name, Text(finding.message))
        yield _Line("", "", "", Text.assemble(("→ ", "green"), finding.remedy))
