"""From a diagnosis to proposals: each finding is given to the fix of its code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.registry import matches
from trainingdoctor.remedy.fix import Fix, NotFixable, Proposal
from trainingdoctor.remedy.provenance import Provenance

if TYPE_CHECKING:
    from trainingdoctor.report import Report
    from trainingdoctor.runner import Diagnosis


def propose(
    diagnosis: Diagnosis, report: Report, codes: Iterable[str], provenance: Provenance, fixes: Mapping[str, Fix]
) -> tuple[Proposal, ...]:
    """One proposal for each finding of the report that is worth a fix, in their order."""
    diagnosis.known["provenance"] = provenance
    return tuple(_proposal(diagnosis, f, fixes.get(f.code)) for f in worth_fixing(report, codes))


def worth_fixing(report: Report, codes: Iterable[str] = ()) -> list[Finding]:
    """Root causes: a symptom is looked at again when its cause is gone. With `codes` (prefixes), all of those, infos too."""
    wanted = tuple(codes)
    if not wanted:
        return [f for f in report.findings if f.severity is not Severity.INFO and f.code in report.root_causes]
    return [f for f in report.findings if any(matches(pattern, f.code) for pattern in wanted)]


def _proposal(diagnosis: Diagnosis, finding: Finding, fix: Fix | None) -> Proposal:
    if fix is None:
        return Proposal(finding, reason="it is not a matter of a line that could be rewritten safely")
    try:
        arguments = [finding if need == "finding" else _value(diagnosis, fix, need) for need in fix.needs]
        edits = tuple(fix.function(*arguments))
    except (NotFixable, Unavailable, UserCodeError) as reason:
        return Proposal(finding, fix.title, reason=str(reason))
    return Proposal(finding, fix.title, edits)


def _value(diagnosis: Diagnosis, fix: Fix, need: str) -> Any:
    try:
        return diagnosis.value(need)
    except Unavailable:
        if need in fix.optional:
            return None
        raise
