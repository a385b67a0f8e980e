"""The report for people: verdict, root causes with their symptoms folded under them, what was skipped, seconds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from trainingdoctor.errors import Reason
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.report import Outcome, Report, Result, Verdict, explains, roots

MARKS = {Severity.CRITICAL: ("✗", "bold red"), Severity.WARNING: ("!", "bold yellow"), Severity.INFO: ("i", "cyan")}
HEADLINES = {
    Verdict.HEALTHY: ("✓ healthy", "bold green"),
    Verdict.UNWELL: ("✗ unwell", "bold red"),
    Verdict.UNDECIDED: ("? undecided", "bold yellow"),
}


def print_report(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Draw a report. verbose: also every check with what it saw, and the whole list of what was skipped."""
    console.print(_headline(report))
    console.print(_examined(report))
    shown: set[int] = set()
    findings = report.findings
    for root in roots(findings):
        symptoms = [f for f in findings if f is not root and explains(root, f.code) and f.severity is not Severity.INFO]
        shown.update(map(id, (root, *symptoms)))
        console.print(_finding(root, [s for s in symptoms if s not in roots(findings)]))
    rest = [f for f in findings if id(f) not in shown and f.severity is not Severity.INFO]
    infos = [f for f in findings if f.severity is Severity.INFO]
    for finding in (*rest, *(infos if verbose else ())):
        console.print(_finding(finding, []))
    if infos and not verbose:
        console.print(Text("\nworth knowing (no fault by itself; --verbose has the remedies):", "cyan"))
        for finding in infos:
            console.print(Text(f"  {MARKS[Severity.INFO][0]} {finding.code}: {finding.message}"))
    for line in _unexamined(report, verbose):
        console.print(line)
    if verbose:
        console.print(_all_checks(report))
    console.print(_footer(report))


def _headline(report: Report) -> Text:
    word, style = HEADLINES[report.verdict]
    text = Text.assemble((word, style), "  ", (report.target, "bold"))
    counts = Counter(f.severity for f in report.findings)
    numbers = [f"{counts[s]} {s.value}" for s in Severity if counts[s]]
    causes = f"{len(report.root_causes)} root cause{'s' if len(report.root_causes) != 1 else ''}"
    said = ([causes] if report.root_causes else []) + numbers
    return text.append("  " + ", ".join(said or ["nothing found"]), "dim" if not said else "")


def _examined(report: Report) -> Text:
    training = report.training
    parts = []
    if model := training.get("model"):
        parts.append(f"{model['class']}, {model['parameters']:,} parameters, on {model['device']}")
    if loader := training.get("train_loader"):
        parts.append(f"{loader.get('samples', '?')} samples in batches of {loader.get('batch_size', '?')}")
    parts += [_optimizer(o) for o in training.get("optimizer", [])]
    parts += list(training.get("scheduler", []))
    if "epochs" in training:
        parts.append(f"{training['epochs']} epochs")
    return Text("  " + " · ".join(parts) if parts else "  no training was given", "dim")


def _optimizer(optimizer: dict[str, Any]) -> str:
    numbers = [
        f"{k} {v:g}" for k in ("lr", "momentum", "weight_decay") if isinstance(v := optimizer.get(k), int | float)
    ]
    return f"{optimizer['class']} {', '.join(numbers)}"


def _finding(finding: Finding, symptoms: Sequence[Finding]) -> RenderableType:
    mark, style = MARKS[finding.severity]
    lines: list[RenderableType] = [
        Text.assemble("\n", (mark, style), " ", (finding.code, style), "  ", (_confidence(finding), "dim")),
        Padding(Text(finding.message), (0, 0, 0, 2)),
    ]
    if finding.where:
        lines.append(Padding(Text("at " + ", ".join(finding.where[:4]) + _more(finding.where), "dim"), (0, 0, 0, 2)))
    remedy = Text(finding.remedy)
    lines.append(Padding(Group(Text("remedy:", "bold green"), Padding(remedy, (0, 0, 0, 2))), (0, 0, 0, 2)))
    for symptom in symptoms:
        folded = Text.assemble(
            ("↳ explains ", "dim"), (symptom.code, MARKS[symptom.severity][1]), ": ", symptom.message
        )
        lines.append(Padding(folded, (0, 0, 0, 2)))
    return Group(*lines)


def _confidence(finding: Finding) -> str:
    return f"{finding.severity.value}, confidence {finding.confidence:.0%}"


def _more(where: Sequence[str]) -> str:
    return f" and {len(where) - 4} more" if len(where) > 4 else ""


def _unexamined(report: Report, verbose: bool) -> Iterator[Text]:
    """Crashes and skips, grouped by reason: what was not examined must be said, because silence reads as approval."""
    for result in report.results:
        if result.outcome is Outcome.CRASHED:
            yield Text.assemble("\n", ("† ", "magenta"), (result.code, "magenta"), f" crashed: {result.reason}")
    for sentence in report.broken:
        yield Text.assemble("\n", ("† ", "magenta"), sentence)
    groups: dict[str, list[str]] = {}
    for result in report.results:
        if result.outcome is Outcome.SKIPPED and (verbose or _worth_saying(result)):
            groups.setdefault(result.reason, []).append(result.code)
    if groups:
        yield Text("\nnot examined:", "dim")
    for reason, codes in groups.items():
        yield Text(
            f"  - {', '.join(codes[:6])}{f' and {len(codes) - 6} more' if len(codes) > 6 else ''}: {reason}", "dim"
        )


def _worth_saying(result: Result) -> bool:
    return result.skipped_for is not Reason.NOT_APPLICABLE or result.reason.startswith("ignored")


def _all_checks(report: Report) -> RenderableType:
    lines = [Text("\nchecks:", "bold")]
    for result in report.results:
        notes = (
            "; ".join(n.message for n in result.notes) or result.reason or "; ".join(f.message for f in result.findings)
        )
        lines.append(Text(f"  {result.outcome.value:8} {result.seconds:6.2f} s  {result.code:34} {notes}"))
    return Group(*lines)


def _footer(report: Report) -> Text:
    counts = Counter(r.outcome for r in report.results)
    ran = counts[Outcome.HEALTHY] + counts[Outcome.UNWELL]
    not_applicable = sum(r.skipped_for is Reason.NOT_APPLICABLE for r in report.results)
    skipped = counts[Outcome.SKIPPED] - not_applicable
    text = f"\n{ran} checks ran, {not_applicable} do not apply, {skipped} skipped, {counts[Outcome.CRASHED]} crashed, {report.seconds:.1f} s"
    return Text(text, "dim")
