"""How many findings were fixed, of those that a change of the source can fix."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any


def score(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of the table."""
    all_rows = [r for r in rows if "found" in r]
    sick = [r for r in all_rows if r["fault"] != "healthy"]
    fixable = [r for r in sick if r["fixable"]]
    findings = [code for r in fixable for code in r["found"]]
    cured = [code for r in fixable for code in r["found"] if code not in r["left"]]
    return {
        "sick_configs": len(sick),
        "fixable_findings": len(findings),
        "of_them_fixed": len(cured),
        "share_fixed": round(len(cured) / max(len(findings), 1), 3),
        "configs_without_any_finding_afterwards": sum(r["word"] == "fixed" for r in fixable),
        "healthy_configs_changed": sum(bool(r["diff"]) for r in all_rows if r["fault"] == "healthy"),
        "with_new_findings": sum(bool(r["new"]) for r in sick),
        "changed_by_a_second_run": sum(bool(r["again"]) for r in sick),
        "seconds_median": round(statistics.median([r["seconds"] for r in all_rows] or [0.0]), 1),
    }
