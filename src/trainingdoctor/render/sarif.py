"""The report as SARIF 2.1.0 (OASIS), which code review shows at the lines of the source."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainingdoctor.baseline import Entry
from trainingdoctor.check import Check
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.loading.built import built_line
from trainingdoctor.report import Outcome, Report

LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LINE = re.compile(r"(?P<file>[^:]+\.py):(?P<line>\d+)")
# What paths are relative to; code review puts its own checkout there.
ROOT = "%SRCROOT%"


def render_sarif(report: Report, source: Path | None = None) -> str:
    """One run; each finding is a result at its line, else where what it names is built, else at the examined file.

    source: that file; paths are then relative to the repository around it, or to its folder where there is none.
    """
    codes = list(dict.fromkeys(f.code for f in report.findings))
    rules = [_rule(code, _worst(report, code)) for code in codes]
    files = _Files(report.target, source, _root(source))
    run = {
        "tool": {"driver": {"name": "trainingdoctor", "version": _version(), "rules": rules}},
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [_invocation(report)],
        "results": [_result(finding, files, codes, report) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _worst(report: Report, code: str) -> Severity:
    return min((f.severity for f in report.findings if f.code == code), key=lambda s: s.rank)


def _rule(code: str, severity: Severity) -> dict[str, Any]:
    """With the check's manual, where it is there: reports are also read where a plug-in is not installed."""
    from trainingdoctor.registry import load_registry

    check = load_registry().checks.get(code)
    name = "".join(part.capitalize() for part in re.split(r"[._]", code))
    rule = {"id": code, "name": name, "defaultConfiguration": {"level": LEVELS[severity]}}
    return rule if check is None else rule | _manual(check)


def _manual(check: Check) -> dict[str, Any]:
    paragraphs = check.manual.split("\n\n")
    return {
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": " ".join(paragraphs[min(1, len(paragraphs) - 1)].split())},
        "help": {"text": check.manual},
        "properties": {"tags": [check.area]},
    }


def _invocation(report: Report) -> dict[str, Any]:
    """Crashed checks are told apart from what was found."""
    crashed = [f"{r.code} crashed: {r.reason}" for r in report.results if r.outcome is Outcome.CRASHED]
    told = [{"level": "error", "message": {"text": text}} for text in (*crashed, *report.broken)]
    return {"executionSuccessful": not crashed, "toolExecutionNotifications": told}


def _result(finding: Finding, files: _Files, codes: list[str], report: Report) -> dict[str, Any]:
    location = files.location(finding)
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    entry = Entry.of(finding, uri)
    same = hashlib.sha256(json.dumps([entry.target, entry.code, entry.where]).encode()).hexdigest()
    result = {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}\n\nRemedy: {finding.remedy}"},
        "locations": [location],
        "partialFingerprints": {"codeAndPlace/v1": same},
    }
    if report.baseline is not None:
        result["baselineState"] = "unchanged" if finding.known else "new"
    return result


@dataclass(frozen=True)
class _Files:
    """Names in places, which have no folders, as paths in the repository."""

    target: str
    source: Path | None
    root: Path | None

    def location(self, finding: Finding) -> dict[str, Any]:
        found = next((m for where in finding.where if (m := LINE.fullmatch(where))), None)
        file, line = (found["file"], int(found["line"])) if found else (self.target, self._built(finding))
        physical: dict[str, Any] = {
            "artifactLocation": {"uri": self._uri(file), "uriBaseId": ROOT},
            "region": {"startLine": max(line, 1)},
        }
        logical = [{"fullyQualifiedName": where} for where in finding.where[:4] if not LINE.fullmatch(where)]
        return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}

    def _built(self, finding: Finding) -> int:
        """The line in the examined file; what is said of the machine or of metrics has none."""
        if self.source is None or not finding.where or finding.code.startswith(("env.", "history.")):
            return 1
        return built_line(self.source, finding.where[0]) or 1

    def _uri(self, name: str) -> str:
        from urllib.parse import quote

        path = self._path(name)
        return quote(path.as_posix() if path is not None else name.replace("\\", "/"))

    def _path(self, name: str) -> Path | None:
        """Relative to the root; None where no file of that name is found beside or below the examined one."""
        if self.source is None or self.root is None:
            return None
        if name in (self.target, self.source.name):
            return self.source.relative_to(self.root)
        found = next(_named(self.source.parent, name), None)
        return None if found is None else found.relative_to(self.root)


def _named(folder: Path, name: str) -> Iterator[Path]:
    """Files of that name, the nearest first; no further down than two folders, so that no data set is searched."""
    if "/" in name or "\\" in name or any(c in name for c in "*?["):
        return
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        yield from sorted(folder.glob(pattern))


def _root(source: Path | None) -> Path | None:
    if source is None:
        return None
    return next((folder for folder in source.parents if (folder / ".git").exists()), source.parent)


def _version() -> str:
    from trainingdoctor import __version__

    return __version__
