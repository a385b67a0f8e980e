"""What the commands that fix a config share: diagnose it, change it, and diagnose it as changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trainingdoctor.aside import aside
from trainingdoctor.cli.exits import USAGE
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.remedy.cure import Cure, Texts
    from trainingdoctor.remedy.examine import Examination, Subject
    from trainingdoctor.remedy.fix import Proposal


def subject_for(
    config: Path,
    select: list[str] | None,
    ignore: list[str] | None,
    quick: bool,
    time_limit: float | None,
    device: str | None,
    seed: int,
) -> Subject:
    """What the options of `fix` and `verify` say."""
    from trainingdoctor.cli.diagnose import settings_for
    from trainingdoctor.registry import load_registry
    from trainingdoctor.remedy.examine import Subject
    from trainingdoctor.remedy.fix import load_fixes
    from trainingdoctor.settings import checked_patterns

    registry, broken = load_registry(), list[str]()
    fixes = load_fixes(broken)
    for sentence in broken:
        aside(sentence)
    settings = settings_for(config, registry, None, ignore, quick, time_limit, None)
    codes = checked_patterns(select or [], registry, "--select")
    return Subject(config, settings, registry, fixes, tuple(codes), device, seed)


def is_script_given(path: Path, kind: str, arguments: list[str] | None) -> bool:
    """Whether a file is to be run and watched. Raises UserError for a notebook, whose cells are not rewritten."""
    from trainingdoctor.cli.diagnose import is_script_wanted

    if path.suffix == ".ipynb":
        raise UserError(f"{path.name} is a notebook: `diagnose` names the remedies, but its cells are not rewritten")
    return is_script_wanted(path, kind, arguments)


def cure_of(subject: Subject, interactive: bool = False, script: tuple[str, ...] | None = None) -> Cure:
    """Diagnose and change until nothing is left that can be fixed. script: the arguments of one; None for a config."""
    from trainingdoctor.remedy.cure import Physician

    examine, tried = _of_config(subject) if script is None else _of_script(subject, script)
    return Physician(examine, tried, _asked if interactive else lambda *_: True).cure()


def _of_config(subject: Subject) -> tuple[Callable[[Texts], Examination], Callable[[Texts], None]]:
    from trainingdoctor.cli.enforce import enforced
    from trainingdoctor.cli.examine import GRACE, progress_line
    from trainingdoctor.remedy.examine import begins, examine_config

    limit = subject.settings.time_limit

    def last_words() -> int:
        aside(f"{subject.file.name} did not end within {2 * limit:g} s")
        return USAGE

    def examine(texts: Texts) -> Examination:
        with enforced(2 * limit + GRACE, last_words), progress_line() as (say, progress):
            _announce(say, subject, texts)
            return examine_config(replace(subject, progress=progress), texts)

    def tried(texts: Texts) -> None:
        with enforced(2 * limit + GRACE, last_words):
            begins(subject, texts)

    return examine, tried


def _of_script(
    subject: Subject, arguments: tuple[str, ...]
) -> tuple[Callable[[Texts], Examination], Callable[[Texts], None]]:
    from trainingdoctor.cli.examine import progress_line
    from trainingdoctor.remedy.examine import examine_script

    def examine(texts: Texts) -> Examination:
        with progress_line() as (say, _):
            _announce(say, subject, texts)
            return examine_script(subject, arguments, texts)

    def tried(texts: Texts) -> None:
        alone = replace(subject, settings=replace(subject.settings, select=("training.raises",)))
        raised = examine_script(alone, arguments, texts).report.findings
        if raised:
            raise UserError(raised[0].message)

    return examine, tried


def _announce(say: Callable[[str], object], subject: Subject, texts: Texts) -> None:
    """On the status line; in a pipe, where there is none, as a line: a diagnosis takes its time."""
    words = f"looking at {subject.file.name}{' as changed' if texts else ''}"
    say(words)
    if not sys.stderr.isatty():
        aside(words)


def _asked(proposal: Proposal, texts: Texts) -> bool:
    from trainingdoctor.remedy.patch import patched

    change = patched([proposal], texts)
    if not change.after:
        return True
    difference = change.diff(root_of(change.after))
    return typer.confirm(
        f"\n{proposal.code}: {proposal.finding.message}\n{difference}{proposal.title}", default=True, err=True
    )


def root_of(files: Iterable[Path]) -> Path:
    """What names in a difference are relative to: the folder one stands in, or the first file's own."""
    found, here = list(files), Path.cwd()
    return here if not found or all(f.is_relative_to(here) for f in found) else found[0].parent
