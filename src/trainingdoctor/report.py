"""The report: all results, root causes in order. JSON-able; it holds no tensor, module or exception."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from trainingdoctor.check import Cost
from trainingdoctor.costs import cost_of
from trainingdoctor.errors import Reason
from trainingdoctor.finding import Finding, Note, Severity

if TYPE_CHECKING:
    from trainingdoctor.render.pictures import Exhibit

SCHEMA_VERSION = 2


class Outcome(StrEnum):
    """What became of one check."""

    HEALTHY = "healthy"
    UNWELL = "unwell"
    SKIPPED = "skipped"
    CRASHED = "crashed"


class Verdict(StrEnum):
    """What is to be said of the whole training."""

    HEALTHY = "healthy"
    UNWELL = "unwell"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Result:
    """One check's outcome. reason: why it was skipped or how it crashed.  seconds: with the evidence it was first to need."""

    code: str
    outcome: Outcome
    cost: Cost
    reason: str = ""
    skipped_for: Reason | None = None
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    traceback: str = ""

    @property
    def left_out(self) -> bool:
        """Whether the user left it out, by selecting others or by ignoring it."""
        return self.outcome is Outcome.SKIPPED and self.reason.startswith(("ignored", "not selected"))


@dataclass(frozen=True)
class BaselineUse:
    """A baseline that a report was compared with. file: its name.  gone: code and places that it lists and that are no longer found."""

    file: str
    gone: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Report:
    """What a diagnosis found. training, environment: what was examined, and where, as plain numbers and strings.

    pictures: of the evidence, where they were asked for; they are no part of the JSON.  baseline: where it was compared
    with one; findings that it lists are `known`.
    """

    target: str
    results: tuple[Result, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    broken: tuple[str, ...] = ()
    pictures: tuple[Exhibit, ...] = field(default=(), repr=False, compare=False)
    baseline: BaselineUse | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings: root causes first, each followed by the symptoms it explains, then the infos."""
        return ordered(f for r in self.results for f in r.findings)

    @property
    def root_causes(self) -> tuple[str, ...]:
        """Codes of the warnings and criticals that no other one explains, worst first."""
        return tuple(dict.fromkeys(f.code for f in roots(f for r in self.results for f in r.findings)))

    @property
    def verdict(self) -> Verdict:
        """unwell when a warning or critical stands; undecided when a quarter or more could not be examined."""
        if any(f.severity is not Severity.INFO for r in self.results for f in r.findings):
            return Verdict.UNWELL
        examined = sum(r.outcome in (Outcome.HEALTHY, Outcome.UNWELL) for r in self._about_training())
        lacking = (Reason.MISSING, Reason.FAILED, Reason.TIME)
        wanting = sum(r.outcome is Outcome.CRASHED or r.skipped_for in lacking for r in self._about_training())
        too_little = examined == 0 or wanting >= (examined + wanting) / 4
        return Verdict.UNDECIDED if too_little else Verdict.HEALTHY

    def _about_training(self) -> list[Result]:
        """The environment can be examined without any training, and says nothing about one."""
        return [r for r in self.results if not r.code.startswith("env.")] or list(self.results)

    def _repr_html_(self) -> str:
        """For notebooks."""
        from trainingdoctor.render.notebook import report_html

        return report_html(self)

    def at_or_above(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings of that severity or a worse one."""
        return tuple(f for f in self.findings if f.severity.rank <= severity.rank)

    def to_dict(self) -> dict[str, Any]:
        """The report as the published JSON Schema describes it (report.schema.json)."""
        return {
            "schema_version": SCHEMA_VERSION,
            "target": self.target,
            "verdict": self.verdict.value,
            "root_causes": list(self.root_causes),
            "findings": [_finding_dict(f) for f in self.findings],
            "checks": [_result_dict(r) for r in self.results],
            "training": plain(self.training),
            "environment": plain(self.environment),
            "seconds": round(self.seconds, 3),
            "plugins_not_loaded": list(self.broken),
            "baseline": None if self.baseline is None else _baseline_dict(self.baseline),
        }


def roots(findings: Iterable[Finding]) -> list[Finding]:
    """Standing findings that no other standing finding explains, worst first."""
    standing = sorted((f for f in findings if f.severity is not Severity.INFO), key=_badness)
    return [f for i, f in enumerate(standing) if not any(_explains(g, f, standing, i) for g in standing)]


def causes(findings: Iterable[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Root causes, worst first, each with the symptoms that it explains; one symptom may have several causes."""
    found = list(findings)
    leading = roots(found)
    symptoms = [f for f in found if f.severity is not Severity.INFO and f not in leading]
    return [(root, [s for s in symptoms if explains(root, s)]) for root in leading]


def _explains(cause: Finding, symptom: Finding, standing: list[Finding], position: int) -> bool:
    if cause.code == symptom.code or not explains(cause, symptom):
        return False
    # Where two name each other, the worse one is the cause.
    return not (explains(symptom, cause) and standing.index(cause) > position)


def explains(cause: Finding, symptom: Finding) -> bool:
    """Whether one of the two declares the other so; declarations may be patterns such as `init.*`."""
    return any(fnmatch(symptom.code, pattern) for pattern in cause.explains) or any(
        fnmatch(cause.code, pattern) for pattern in symptom.explained_by
    )


def _badness(finding: Finding) -> tuple[int, float, str]:
    return finding.severity.rank, -finding.confidence, finding.code


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Root causes first, each followed by what it explains; `explains` is narrowed to what was found."""
    all_findings = list(findings)
    standing = sorted((f for f in all_findings if f.severity is not Severity.INFO), key=_badness)
    infos = sorted((f for f in all_findings if f.severity is Severity.INFO), key=_badness)
    result: list[Finding] = []
    for root in roots(all_findings):
        result += [f for f in (root, *(s for s in standing if s is not root and explains(root, s))) if f not in result]
    result += [f for f in (*standing, *infos) if f not in result]
    return tuple(
        replace(f, explains=tuple(sorted({s.code for s in all_findings if s.code != f.code and explains(f, s)})))
        for f in result
    )


def _finding_dict(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "known": finding.known,
        "severity": finding.severity.value,
        "confidence": round(finding.confidence, 3),
        "where": list(finding.where),
        "message": finding.message,
        "remedy": finding.remedy,
        "evidence": plain(finding.evidence),
        "explains": list(finding.explains),
        "references": list(finding.references),
        "measured_cost": asdict(cost) if (cost := cost_of(finding)) is not None else None,
    }


def _baseline_dict(baseline: BaselineUse) -> dict[str, Any]:
    return {"file": baseline.file, "gone": [{"code": code, "where": list(where)} for code, where in baseline.gone]}


def _result_dict(result: Result) -> dict[str, Any]:
    return {
        "code": result.code,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "cost": result.cost.value,
        "seconds": round(result.seconds, 3),
        "notes": [note.message for note in result.notes],
    }


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: not-finite numbers and foreign objects become strings."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        number = float(value)
        return value if math.isfinite(number) else str(number)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    item = getattr(value, "item", None)
    return plain(item()) if callable(item) and getattr(value, "size", None) == 1 else str(value)
