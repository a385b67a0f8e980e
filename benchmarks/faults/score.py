"""Detection, root cause first, precision, false alarms, crashes and seconds, from the rows of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """found: of the injected faults, how many are named by a warning or critical.  unexpected: codes of warnings and
    criticals that are neither an injected fault, nor a declared consequence, nor explained by a right finding.
    """

    sick: bool
    faults: int
    found: int
    first: bool
    unexpected: tuple[str, ...]
    standing: int
    error: bool

    @property
    def word(self) -> str:
        """ok, or what is not."""
        if self.error:
            return "ERROR"
        if not self.sick:
            return "ALARM" if self.standing else "ok"
        if self.found < self.faults:
            return "MISSED"
        return "ok" if self.first else "not first"


def judged(row: Row) -> Judged:
    """Compare what was said with what was injected."""
    standing, right = row.get("standing", {}), row["right"]
    found = [any(code in standing for code in codes) for codes in right]
    named = {code for codes in right for code in codes}
    explained = {c for code in named for c in row.get("explained", {}).get(code, [])}
    allowed = [*named, *explained, *row["consequences"]]
    unexpected = tuple(c for c in standing if not any(fnmatch(c, a) for a in allowed))
    roots = row.get("roots", [])
    return Judged(
        sick=bool(right),
        faults=len(right),
        found=sum(found),
        first=bool(roots) and roots[0] in named,
        unexpected=unexpected,
        standing=len(standing),
        error="error" in row or bool(row.get("crashed")),
    )


def score(rows: Iterable[Row]) -> dict[str, Any]:
    """The figures over all rows."""
    pairs = [(row, judged(row)) for row in rows]
    sick = [(r, j) for r, j in pairs if j.sick]
    healthy = [(r, j) for r, j in pairs if not j.sick]
    faults, found = sum(j.faults for _, j in sick), sum(j.found for _, j in sick)
    said, wrong = sum(j.standing for _, j in sick), sum(len(j.unexpected) for _, j in sick)
    alarms = sum(j.standing for _, j in healthy)
    seconds = [r["seconds"] for r, _ in pairs]
    return {
        "sick": len(sick),
        "with_two_faults": sum(j.faults > 1 for _, j in sick),
        "faults": faults,
        "detected": found,
        "detection": _share(found, faults),
        "root_cause_first": _share(sum(j.first for _, j in sick), len(sick)),
        "precision": _share(said - wrong, said + alarms),
        "healthy": len(healthy),
        "healthy_with_a_warning": sum(j.standing > 0 for _, j in healthy),
        "crashes": sum(j.error for _, j in pairs),
        "seconds_median": round(statistics.median(seconds), 1) if seconds else None,
        "seconds_p90": round(_quantile(seconds, 0.9), 1) if seconds else None,
        "subtle": _part(sick, "subtle"),
        "gross": _part(sick, "gross"),
    }


def _part(sick: Sequence[tuple[Row, Judged]], strength: str) -> dict[str, Any]:
    """Detection among the faults of one strength, trainings with a single fault only."""
    chosen = [j for r, j in sick if r["strength"] == [strength]]
    return {"faults": len(chosen), "detection": _share(sum(j.found for j in chosen), len(chosen))}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def by_code(rows: Iterable[Row]) -> list[tuple[str, int, int, int, list[str]]]:
    """For each code: injected, detected, first, and the names of what was missed."""
    table: dict[str, list[Any]] = {}
    for row in rows:
        verdict = judged(row)
        for codes in row["right"]:
            entry = table.setdefault(codes[0], [0, 0, 0, []])
            hit = any(c in row.get("standing", {}) for c in codes)
            entry[0] += 1
            entry[1] += hit
            entry[2] += verdict.first
            if not hit:
                entry[3].append(row["name"])
    return [(code, *entry) for code, entry in sorted(table.items())]
