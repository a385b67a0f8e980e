"""Proposals applied to sources: new texts, their difference, and files written with a backup."""

from __future__ import annotations

import difflib
import io
import tokenize
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import libcst as cst

from trainingdoctor.errors import UserError, one_line
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
            old, new = _lines(self.before[file]), _lines(text)
            parts += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in parts)

    def write(self) -> list[Path]:
        """Write the files, each beside a backup of what it was; returns the backups. Raises UserError, and leaves all as it was."""
        with ExitStack() as undo:
            backups = [self._kept(file, undo) for file in self.after]
            for file, text in self.after.items():
                coding = coding_of(file)
                _put(file, text, coding)
                undo.callback(_put, file, self.before[file], coding)
            undo.pop_all()
        return backups

    def _kept(self, file: Path, undo: ExitStack) -> Path:
        backup = backup_of(file)
        try:
            if read(file) != self.before[file]:
                raise UserError(f"{file.name} was changed while it was looked at; nothing was written: run it again")
            earlier = backup.read_bytes() if backup.exists() else None
            backup.write_bytes(file.read_bytes())
        except OSError as error:
            raise UserError(
                f"{file.name} cannot be written beside a backup, {backup.name}: {error.strerror}"
            ) from error
        undo.callback(backup.unlink) if earlier is None else undo.callback(backup.write_bytes, earlier)
        return backup


def backup_of(file: Path) -> Path:
    """Where a file is kept as it was."""
    return file.with_name(file.name + BACKUP)


def read(file: Path) -> str:
    """The text of a source file, in the coding that it declares, with its own line ends. Raises OSError, Unplaceable."""
    try:
        return file.read_bytes().decode(coding_of(file))
    except (SyntaxError, UnicodeError) as error:
        raise Unplaceable(f"{file.name} is neither UTF-8 nor in the coding that it declares") from error


def coding_of(file: Path) -> str:
    """What the file declares; `utf-8-sig` where it begins with a byte order mark."""
    with file.open("rb") as raw:
        return tokenize.detect_encoding(raw.readline)[0]


def _put(file: Path, text: str, coding: str) -> None:
    try:
        write_whole(file, text, coding)
    except OSError as error:
        raise UserError(f"{file.name} cannot be written: {error.strerror}") from error


def _lines(text: str) -> list[str]:
    """As git counts them: only a line feed ends one."""
    return list(io.StringIO(text, newline="\n"))


def patched(proposals: Iterable[Proposal], current: Mapping[Path, str]) -> Patch:
    """Apply what can be applied, each proposal wholly or not at all. current: texts in place of the files' own."""
    texts: dict[Path, str] = {}
    done: list[Proposal] = []
    kept: list[Proposal] = []
    for proposal in proposals:
        try:
            texts = _with([*kept, proposal], current)
        except (Unplaceable, cst.ParserSyntaxError, OSError) as why:
            done.append(replace(proposal, edits=(), reason=str(why) if isinstance(why, Unplaceable) else one_line(why)))
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
    return current[file] if file in current else read(file)


def _relative(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
