"""The report for people: verdict, root causes with their symptoms folded under them, what was skipped, seconds."""

import ast
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from trainingdoctor.costs import cost_of
from trainingdoctor.errors import Reason
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.render.printable import printable
from trainingdoctor.render.unexamined import gone_from, unexamined
from trainingdoctor.report import Outcome, Report, Verdict, causes

MARKS = {Severity.CRITICAL: ("✗", "bold red"), Severity.WARNING: ("!", "bold yellow"), Severity.INFO: ("i", "cyan")}
HEADLINES = {
    Verdict.HEALTHY: ("✓ healthy", "bold green"),
    Verdict.UNWELL: ("✗ unwell", "bold red"),
    Verdict.UNDECIDED: ("? undecided", "bold yellow"),
}
# Codes named in a line before it says "and N more".
NAMED = 6


def print_report(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Draw a report. verbose: also every check with what it saw, and the whole list of what was skipped."""
    report = printable(report)
    console.print(_headline(report))
    _indented(console, _examined(report))
    findings = report.findings
    infos = [f for f in findings if f.severity is Severity.INFO]
    shown: set[str] = set()
    for root, symptoms in causes(findings):
        shown.update((root.code, *(s.code for s in symptoms)))
        _print_finding(console, root, symptoms)
    rest = [f for f in findings if f.code not in shown and f not in infos]
    for finding in (*rest, *(infos if verbose else ())):
        _print_finding(console, finding, [])
    if infos and not verbose:
        console.print(Text("\nworth knowing (no fault by itself; --verbose has the remedies):", "cyan"))
        for finding in infos:
            item(console, MARKS[Severity.INFO][0], f"{finding.code}{_known(finding)}: {finding.message}", "")
    for sentence in gone_from(report):
        item(console, "+", sentence, "green")
    _print_unexamined(console, report, verbose)
    if verbose:
        _print_all_checks(console, report)
    console.print(_footer(report))


def _indented(console: Console, text: Text, by: int = 2) -> None:
    for line in text.wrap(console, max(console.width - by, 20)):
        line.rstrip()
        console.print(Text(" " * by) + line, soft_wrap=True)


def item(console: Console, mark: str, text: str, style: str, indent: int = 2) -> None:
    """A line of a list: what is wrapped stands under its first line's text."""
    lines = Text(text, style).wrap(console, max(console.width - indent - len(mark) - 1, 20))
    for i, line in enumerate(lines):
        line.rstrip()
        console.print(Text(f"{' ' * indent}{mark if i == 0 else ' ' * len(mark)} ", style) + line, soft_wrap=True)


def _headline(report: Report) -> Text:
    word, style = HEADLINES[report.verdict]
    counts = Counter(f.severity for f in report.findings)
    names = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
    numbers = [
        f"{counts[s]} {names[s]}{'s' if counts[s] > 1 and s is not Severity.CRITICAL else ''}"
        for s in Severity
        if counts[s]
    ]
    causes = len(report.root_causes)
    led = f"{causes} root cause{'s' if causes != 1 else ''}: " if causes else ""
    said = led + (", ".join(numbers) or "nothing found")
    if known := sum(f.known for f in report.findings):
        said += f" ({known} known)"
    if report.verdict is Verdict.UNDECIDED:
        said += "; too much could not be examined to say more"
    elif not report.findings:
        said += f"{part}, see below" if (part := in_part(report)) else ""
    return Text.assemble((word, style), "  ", (report.target, "bold"), f"  {said}")


def in_part(report: Report) -> str:
    """What "nothing found" is worth where checks that could have found something were not able to look. Empty where all were."""
    crashed = sum(r.outcome is Outcome.CRASHED for r in report.results)
    silent = crashed + sum(map(len, unexamined(report).values()))
    return f" where it was examined; {silent} check{'s' if silent > 1 else ''} could not look" if silent else ""


def _known(finding: Finding) -> str:
    return " (known)" if finding.known else ""


def _examined(report: Report) -> Text:
    training = report.training
    parts = []
    if model := training.get("model"):
        parts.append(f"{model['class']}, {model['parameters']:,} parameters, on {model['device']}")
    if loader := training.get("train_loader"):
        samples, size = loader.get("samples"), loader.get("batch_size")
        parts.append(f"{f'{samples:,} samples' if samples is not None else 'samples'} in batches of {size or '?'}")
    parts += [_optimizer(o) for o in training.get("optimizer", [])]
    parts += list(training.get("scheduler", []))
    if "epochs" in training:
        parts.append(f"{training['epochs']} epochs")
    return Text(" · ".join(parts) if parts else "no training was given", "dim")


def _optimizer(optimizer: dict[str, Any]) -> str:
    numbers = [
        f"{k} {v:g}" for k in ("lr", "momentum", "weight_decay") if isinstance(v := optimizer.get(k), int | float)
    ]
    return f"{optimizer['class']} {', '.join(numbers)}"


def _print_finding(console: Console, finding: Finding, symptoms: Sequence[Finding]) -> None:
    mark, style = MARKS[finding.severity]
    said = f"{finding.severity.value}{', known' if finding.known else ''}, {finding.confidence:.0%} sure"
    console.print(Text.assemble("\n", (mark, style), " ", (finding.code, style), "  ", (said, "dim")))
    _indented(console, Text(finding.message))
    if finding.where:
        _indented(console, Text("at " + ", ".join(finding.where[:4]) + _more(finding.where, 4), "dim"))
    _print_remedy(console, finding.remedy)
    if (cost := cost_of(finding)) is not None and finding.severity is not Severity.INFO:
        _indented(console, Text(f"measured elsewhere: {cost}", "dim"))
    for symptom in symptoms:
        item(console, "↳", f"explains {symptom.code}{_known(symptom)}: {symptom.message}", "")


def _print_remedy(console: Console, remedy: str) -> None:
    """Code in lines as long as they are, so that it can be copied whole; prose wrapped."""
    _indented(console, Text("remedy:", "bold green"))
    if not _is_code(remedy):
        _indented(console, Text(remedy), 4)
        return
    for line in remedy.splitlines():
        console.print(Text("    " + line), soft_wrap=True)


def _is_code(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError):
        return False


def _more(items: Sequence[str], named: int) -> str:
    return f" and {len(items) - named} more" if len(items) > named else ""


def _print_unexamined(console: Console, report: Report, verbose: bool) -> None:
    """Crashes and skips, grouped by reason: what was not examined must be said, because silence reads as approval."""
    crashes = [f"{r.code} crashed: {r.reason}" for r in report.results if r.outcome is Outcome.CRASHED]
    if crashes or report.broken:
        console.print(Text("\ncould not run, which says nothing about the training:", "magenta"))
    for sentence in (*crashes, *report.broken):
        item(console, "†", sentence, "magenta")
    groups = unexamined(report, everything=verbose)
    if groups:
        console.print(Text("\nnot examined:", "dim"))
    for reason, codes in groups.items():
        item(console, "-", f"{reason}: {', '.join(codes[:NAMED])}{_more(codes, NAMED)}", "dim")


def _print_all_checks(console: Console, report: Report) -> None:
    """As they run: cheap ones first, those that train last."""
    console.print(Text("\nchecks:", "bold"))
    for result in sorted(report.results, key=lambda r: r.cost.rank):
        saw = "; ".join(n.message for n in result.notes) or result.reason
        saw = saw or "; ".join(f.message for f in result.findings)
        item(console, result.outcome.value.ljust(8), f"{result.seconds:6.2f} s  {result.code}  {saw}", "")


def _footer(report: Report) -> Text:
    counts = Counter(r.outcome for r in report.results)
    ran = counts[Outcome.HEALTHY] + counts[Outcome.UNWELL]
    not_applicable = sum(r.skipped_for is Reason.NOT_APPLICABLE for r in report.results)
    parts = [
        f"{ran} checks ran",
        f"{not_applicable} do not apply",
        f"{counts[Outcome.SKIPPED] - not_applicable} skipped",
    ]
    parts += [f"{counts[Outcome.CRASHED]} crashed"] if counts[Outcome.CRASHED] else []
    return Text(f"\n{', '.join(parts)}, {report.seconds:.1f} s", "dim")
