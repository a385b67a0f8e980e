"""What the commands that fix a config share: diagnose it, change it, and diagnose it as changed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trainingdoctor.cli.exits import USAGE

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

    registry = load_registry()
    settings = settings_for(config, registry, None, ignore, quick, time_limit, None)
    codes = checked_patterns(select or [], registry, "--select")
    return Subject(config, settings, registry, load_fixes(), tuple(codes), device, seed)


def cure_of(subject: Subject, interactive: bool = False) -> Cure:
    """Diagnose and change until nothing is left that can be fixed."""
    from trainingdoctor.cli.enforce import enforced
    from trainingdoctor.cli.examine import GRACE, progress_line
    from trainingdoctor.remedy.cure import Physician
    from trainingdoctor.remedy.examine import begins, examine_config

    limit = subject.settings.time_limit

    def last_words() -> int:
        print(f"trainingdoctor: {subject.file.name} did not end within {2 * limit:g} s", file=sys.stderr)  # noqa: T201
        return USAGE

    def examine(texts: Texts) -> Examination:
        with enforced(2 * limit + GRACE, last_words), progress_line() as (say, progress):
            say(f"looking at {subject.file.name}{' as changed' if texts else ''}")
            return examine_config(replace(subject, progress=progress), texts)

    def tried(texts: Texts) -> None:
        with enforced(2 * limit + GRACE, last_words):
            begins(subject, texts)

    return Physician(examine, tried, _asked if interactive else lambda _: True).cure()


def _asked(proposal: Proposal) -> bool:
    places = ", ".join(dict.fromkeys(str(edit.place) for edit in proposal.edits))
    return typer.confirm(
        f"{proposal.code} ({places}): {proposal.finding.message}\n  {proposal.title}", default=True, err=True
    )
