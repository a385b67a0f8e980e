"""Proposals applied to sources: new texts, their difference, and files written with a backup."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import libcst as cst

from trainingdoctor.errors import UserError
from trainingdoctor.files import write_whole
from trainingdoctor.remedy.fix import Proposal
from trainingdoctor.remedy.source import Source, Unplaceable

BACKUP = ".before-fix"


@dataclass(frozen=True)
class Patch:
    """before, after: texts of the files that change.  proposals: what was asked for, those that could not be placed with the reason."""

    before: Mapping[Path, str]
    after: Mapping[Path, str]
    proposals: tuple[Proposal, ...]

    @property
    def applied(self) -> tuple[Proposal, ...]:
        """Those that are in it."""
        return tuple(p for p in self.proposals if p.edits)

    @property
    def refused(self) -> tuple[Proposal, ...]:
        """Those that are not, with the reason."""
        return tuple(p for p in self.proposals if not p.edits)

    def diff(self, root: Path) -> str:
        """As `diff -u` and `git apply` know it."""
        parts: list[str] = []
        for file, text in self.after.items():
            name = _relative(file, root)
            old, new = self.before[file].splitlines(keepends=True), text.splitlines(keepends=True)
            parts += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in parts)

    def write(self) -> list[Path]:
        """Write the files, each beside a backup of what it was; returns the backups. Raises UserError."""
        backups = []
        for file, text in self.after.items():
            backup = file.with_name(file.name + BACKUP)
            try:
                backup.write_bytes(file.read_bytes())
                write_whole(file, text)
            except OSError as error:
                raise UserError(f"{file.name} cannot be written: {error.strerror}") from error
            backups.append(backup)
        return backups


def patched(proposals: Iterable[Proposal], current: Mapping[Path, str]) -> Patch:
    """Apply what can be applied, each proposal wholly or not at all. current: texts in place of the files' own."""
    texts: dict[Path, str] = {}
    done: list[Proposal] = []
    kept: list[Proposal] = []
    for proposal in proposals:
        try:
            texts = _with([*kept, proposal], current)
        except (Unplaceable, cst.ParserSyntaxError, UnicodeDecodeError, OSError) as why:
            done.append(replace(proposal, edits=(), reason=str(why)))
            continue
        done.append(proposal)
        kept += [proposal] if proposal.edits else []
    changed = {f: t for f, t in texts.items() if t != _text(f, current)}
    return Patch({f: _text(f, current) for f in changed}, changed, tuple(done))


def _with(proposals: Iterable[Proposal], current: Mapping[Path, str]) -> dict[Path, str]:
    sources: dict[Path, Source] = {}
    for proposal in proposals:
        for edit in dict.fromkeys(proposal.edits):
            file = edit.place.file
            edit.apply(sources.setdefault(file, Source(file, _text(file, current))))
    return {file: source.written() for file, source in sources.items()}


def _text(file: Path, current: Mapping[Path, str]) -> str:
    return current[file] if file in current else file.read_bytes().decode()


def _relative(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
