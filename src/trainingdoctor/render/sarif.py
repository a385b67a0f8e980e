"""The report as SARIF 2.1.0 (OASIS), which code review shows at the lines of the source."""

from __future__ import annotations

import json
import re
from typing import Any

from trainingdoctor.finding import Finding, Severity
from trainingdoctor.report import Report

LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LINE = re.compile(r"(?P<file>[^:]+\.py):(?P<line>\d+)")


def render_sarif(report: Report) -> str:
    """One run; each finding is a result at its line where that is known, else at the file that was examined."""
    codes = list(dict.fromkeys(f.code for f in report.findings))
    rules = [{"id": code, "name": code.replace(".", "_")} for code in codes]
    run = {
        "tool": {"driver": {"name": "trainingdoctor", "version": _version(), "rules": rules}},
        "results": [_result(finding, report.target, codes) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(finding: Finding, target: str, codes: list[str]) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}\n\nRemedy: {finding.remedy}"},
        "locations": [_location(finding, target)],
    }


def _location(finding: Finding, target: str) -> dict[str, Any]:
    found = next((m for where in finding.where if (m := LINE.fullmatch(where))), None)
    file, line = (found["file"], int(found["line"])) if found else (target, 1)
    physical: dict[str, Any] = {
        "artifactLocation": {"uri": file.replace("\\", "/")},
        "region": {"startLine": max(line, 1)},
    }
    logical = [{"fullyQualifiedName": where} for where in finding.where[:4] if not LINE.fullmatch(where)]
    return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}


def _version() -> str:
    from trainingdoctor import __version__

    return __version__
