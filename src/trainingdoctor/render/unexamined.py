"""What was not examined, grouped by the reason: it must be said, because silence reads as approval."""

from __future__ import annotations

from trainingdoctor.errors import Reason
from trainingdoctor.report import Outcome, Report, Result


def unexamined(report: Report, everything: bool = False) -> dict[str, list[str]]:
    """Codes by reason. everything: also what does not apply to this training."""
    groups: dict[str, list[str]] = {}
    for result in report.results:
        if result.outcome is Outcome.SKIPPED and (everything or _worth_saying(result)):
            groups.setdefault(result.reason, []).append(result.code)
    return groups


def _worth_saying(result: Result) -> bool:
    return result.skipped_for is not Reason.NOT_APPLICABLE or result.reason.startswith("ignored")
