"""Findings that are known: a small file that people commit, so that only what is new fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainingdoctor.errors import Reason, UserError
from trainingdoctor.files import write_whole
from trainingdoctor.finding import Finding
from trainingdoctor.report import BaselineUse, Outcome, Report, Result

# The file's form; a number that this version does not know is refused.
FORM = 1
KEY = "trainingdoctor_baseline"
# More places than this are listed by their shape, `layer*.bn*`: a deeper net has the same fault, and the file stays small.
MOST_PLACES = 8
LINE = re.compile(r":\d+$")
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, order=True)
class Entry:
    """What stays of a finding when its numbers and the lines of the source change.

    target: the file that was examined, relative to the baseline's folder.  where: its places, without lines, sorted.
    """

    target: str
    code: str
    where: tuple[str, ...] = ()

    @classmethod
    def of(cls, finding: Finding, target: str) -> Entry:
        """That of a finding."""
        places = {LINE.sub("", place) for place in finding.where}
        if len(places) > MOST_PLACES:
            places = {_shape(place) for place in places}
        return cls(target, finding.code, tuple(sorted(places)))

    def covers(self, other: Entry) -> bool:
        """Whether the other one is the same fault at the same places, or at fewer of them."""
        if (self.target, self.code, bool(self.where)) != (other.target, other.code, bool(other.where)):
            return False
        return all(place in self.where or _shape(place) in self.where for place in other.where)


def _shape(place: str) -> str:
    return NUMBER.sub("*", place)


@dataclass(frozen=True)
class Baseline:
    """A file and its entries. It may hold those of several trainings: each is compared with its own."""

    file: Path
    entries: tuple[Entry, ...] = ()

    def compared(self, report: Report, target: str) -> Report:
        """The report with its findings marked as known or new, and with what is listed and no longer found."""
        mine = [e for e in self.entries if e.target == target]
        found = [Entry.of(f, target) for r in report.results for f in r.findings]
        examined = {r.code for r in report.results if _is_examined(r)}
        gone = (e for e in mine if e.code in examined and not any(e.covers(f) for f in found))
        return replace(
            report,
            results=tuple(replace(r, findings=tuple(_marked(r.findings, mine, target))) for r in report.results),
            baseline=BaselineUse(self.file.name, tuple((e.code, e.where) for e in sorted(gone))),
        )

    def updated(self, report: Report, target: str) -> Baseline:
        """With this report's findings in place of the target's entries; those that were not examined this time stay."""
        examined = {r.code for r in report.results if _is_examined(r)}
        kept = {e for e in self.entries if e.target != target or e.code not in examined}
        found = {Entry.of(f, target) for r in report.results for f in r.findings}
        return replace(self, entries=tuple(sorted(kept | found)))

    def write(self) -> None:
        """Write it, whole or not at all. Raises UserError where that cannot be done."""
        known = [{"target": e.target, "code": e.code, "where": list(e.where)} for e in sorted(self.entries)]
        try:
            write_whole(self.file, json.dumps({KEY: FORM, "known": known}, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"--baseline {self.file} cannot be written: {error.strerror}") from error


def read_baseline(file: Path) -> Baseline:
    """Read one. Raises UserError where it is not there, no JSON, or not of this tool."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--baseline {file} is not there: --update-baseline makes it") from None
    except OSError as error:
        raise UserError(f"--baseline {file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"--baseline {file} is no JSON: {error}") from error
    if not isinstance(data, dict) or KEY not in data:
        raise UserError(f"--baseline {file} is no baseline of trainingdoctor: it has no {KEY!r}")
    if data[KEY] != FORM:
        raise UserError(f"--baseline {file} has the form {data[KEY]!r}, and this version knows {FORM}: make it anew")
    return Baseline(file, tuple(_entries(data.get("known"), file)))


def _entries(known: Any, file: Path) -> Iterable[Entry]:
    for item in known if isinstance(known, list) else [None]:
        if not isinstance(item, Mapping) or not _is_entry(item):
            raise UserError(f"--baseline {file}: `known` must list tables of target, code and where, not {item!r:.80}")
        yield Entry(item["target"], item["code"], tuple(sorted(item["where"])))


def _is_entry(item: Mapping[str, Any]) -> bool:
    where = item.get("where")
    texts = isinstance(where, list) and all(isinstance(place, str) for place in where)
    return texts and isinstance(item.get("target"), str) and isinstance(item.get("code"), str)


def _marked(findings: Iterable[Finding], entries: list[Entry], target: str) -> Iterable[Finding]:
    for finding in findings:
        own = Entry.of(finding, target)
        yield replace(finding, known=any(entry.covers(own) for entry in entries))


def _is_examined(result: Result) -> bool:
    """Whether its silence says something: what was left out, or could not be measured this time, may still be there."""
    if result.outcome is Outcome.SKIPPED:
        return result.skipped_for is Reason.NOT_APPLICABLE and not result.left_out
    return result.outcome is not Outcome.CRASHED
