"""What is not there to be seen: what was not examined, because silence reads as approval, and what is gone."""

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


def gone_from(report: Report) -> list[str]:
    """A sentence for each entry of the baseline that is no longer found."""
    if report.baseline is None:
        return []
    file = report.baseline.file
    return [
        f"no longer found, and still in {file}: {code}{f' at {_places(where)}' if where else ''}"
        for code, where in report.baseline.gone
    ]


def _places(where: tuple[str, ...]) -> str:
    return ", ".join(where[:4]) + (f" and {len(where) - 4} more" if len(where) > 4 else "")
