"""`trainingdoctor fix my_config.py`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.cli.exits import FINDINGS, HEALTHY, USAGE

if TYPE_CHECKING:
    from trainingdoctor.remedy.cure import Cure, Texts
    from trainingdoctor.remedy.examine import Examination, Subject
    from trainingdoctor.remedy.fix import Proposal


def fix(
    config: Annotated[
        Path, typer.Argument(help="A config that builds `model`, `train_loader`, ...", show_default=False)
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Write the changes; the files as they were stay beside them.")
    ] = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Ask about each change.")] = False,
    select: Annotated[
        list[str] | None, typer.Option(help="Fix only these: a code or a prefix (lr, lr.too_high); infos, too.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Leave out a code or prefix, with a reason: lr.too_high='tuned'.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Diagnose without trial trainings.")] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for each diagnosis.  [default: 600]")] = None,
    device: Annotated[str | None, typer.Option(help="Measure on this device.  [default: where the model is]")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of every measurement.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write the difference to this file, for `git apply`.")] = None,
) -> None:
    """Change the source so that what is wrong is right, and show the difference.

    The config is diagnosed, changed, and diagnosed again as changed, until nothing is left that can be fixed; nothing is
    written without --write. Exit codes: 0 nothing is wrong with the files as they now are, 1 something still is.
    """
    from trainingdoctor.cli.deliver import check_writable
    from trainingdoctor.cli.deliver import write as write_text
    from trainingdoctor.cli.streams import reserved_stdout
    from trainingdoctor.render.cure import print_cure
    from trainingdoctor.report import Verdict

    if output is not None:
        check_writable(output)
    with reserved_stdout() as stdout:
        cure = _cure(_subject(config, select, ignore, quick, time_limit, device, seed), interactive)
        difference = cure.patch.diff(config.resolve().parent)
        if output is not None:
            write_text(output, difference)
        backups = cure.patch.write() if write else []
        print_cure(cure, difference, [path.name for path in backups], stdout)
    unwell = (cure.after if write else cure.before).verdict is Verdict.UNWELL
    raise typer.Exit(FINDINGS if unwell else HEALTHY)


def _subject(
    config: Path,
    select: list[str] | None,
    ignore: list[str] | None,
    quick: bool,
    time_limit: float | None,
    device: str | None,
    seed: int,
) -> Subject:
    from trainingdoctor.cli.diagnose import settings_for
    from trainingdoctor.registry import load_registry
    from trainingdoctor.remedy.examine import Subject
    from trainingdoctor.remedy.fix import load_fixes
    from trainingdoctor.settings import checked_patterns

    registry = load_registry()
    settings = settings_for(config, registry, None, ignore, quick, time_limit, None)
    codes = checked_patterns(select or [], registry, "--select")
    return Subject(config, settings, registry, load_fixes(), tuple(codes), device, seed)


def _cure(subject: Subject, interactive: bool) -> Cure:
    from trainingdoctor.cli.diagnose import GRACE, progress_line
    from trainingdoctor.cli.enforce import enforced
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
