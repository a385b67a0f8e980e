"""What counts as finding a fault: the same rule for every tool, from its manual and from what it said.

named    an alarm of a rule that names the fault that was put in
listed   an alarm that lists the fault among several possible causes
noticed  an alarm of a rule that was silent on all healthy trainings, and that names something else
missed   none of these (what a tool says of healthy trainings too tells nothing)
stopped  as missed, and the training itself raised an error that the tool did not report
crashed, timed out    the tool itself did not get to an end
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools import Manual

Row = Mapping[str, Any]


def codes(manual: Manual, finding: Row, which: str) -> set[str]:
    """The fault codes that a finding names ('codes') or lists among possible causes ('lists')."""
    found: set[str] = set()
    for entry in manual.names:
        matched = re.match(entry["rule"], finding["rule"])
        if matched and any(re.search(entry.get("text", ""), text) for text in finding["texts"]):
            found |= {matched.expand(code) for code in entry.get(which, ())}
    return found


def alarms(row: Row) -> list[Row]:
    """What the tool said at its own level of a warning or above."""
    return [f for f in row["findings"] if f["alarm"]]


def broken(row: Row, training_stopped: bool) -> str | None:
    """How the tool failed to examine the training, if it did: an error that the bare loop does not have is its own."""
    if row["outcome"] != "ran":
        return row["outcome"]
    return "crashed" if row["stopped"] and not training_stopped else None


def verdict(manual: Manual, row: Row, fault: str, everyday: set[str], training_stopped: bool) -> str:
    """One of the words above. `everyday`: the rules that this tool breaks on healthy trainings."""
    said = alarms(row)
    for word, which in (("named", "codes"), ("listed", "lists")):
        if any(fault in codes(manual, finding, which) for finding in said):
            return word
    if failed := broken(row, training_stopped):
        return failed
    if any(finding["rule"] not in everyday for finding in said):
        return "noticed"
    return "stopped" if training_stopped else "missed"


def judged(manual: Manual, rows: Mapping[str, Row], faults: Mapping[str, str | None], logs: Mapping[str, Row]) -> Row:
    """All of one tool's verdicts, its false alarms, and the sums."""
    stopped = {case: bool(logs[case]["stopped"]) for case in rows}
    healthy = {case: row for case, row in rows.items() if faults[case] is None}
    everyday = {finding["rule"] for row in healthy.values() for finding in alarms(row)}
    verdicts = {
        case: verdict(manual, row, faults[case] or "", everyday, stopped[case])
        for case, row in rows.items()
        if faults[case]
    }
    false = {
        case: broken(row, stopped[case]) or ", ".join(dict.fromkeys(f["rule"] for f in alarms(row)))
        for case, row in healthy.items()
    }
    seconds = sorted(row["cpu_seconds"] for row in rows.values())
    return {
        "verdicts": verdicts,
        "on_healthy": false,
        "counts": {word: list(verdicts.values()).count(word) for word in dict.fromkeys(verdicts.values())},
        "healthy_with_alarms": sum(bool(alarms(row)) for row in healthy.values()),
        "healthy": len(healthy),
        "sick": len(verdicts),
        "lines": manual.lines,
        "median_cpu_seconds": seconds[len(seconds) // 2] if seconds else None,
    }
