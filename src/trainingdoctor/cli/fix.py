"""`trainingdoctor fix my_config.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainingdoctor.cli.completing import codes
from trainingdoctor.cli.exits import FINDINGS, HEALTHY


def fix(
    config: Annotated[
        Path,
        typer.Argument(
            help="A config that builds `model`, `train_loader`, ..., or a training script.", show_default=False
        ),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="The script's own arguments, after --.", show_default=False)
    ] = None,
    kind: Annotated[str, typer.Option("--as", help="auto, script or config.")] = "auto",
    write: Annotated[
        bool, typer.Option("--write", help="Write the changes; the files as they were stay beside them.")
    ] = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Ask about each change.")] = False,
    select: Annotated[
        list[str] | None,
        typer.Option(autocompletion=codes, help="Fix only these: a code or a prefix (lr, lr.too_high); infos, too."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(autocompletion=codes, help="Leave out a code or prefix, with a reason: lr.too_high='tuned'."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Diagnose without trial trainings.")] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for each diagnosis.  [default: 600]")] = None,
    device: Annotated[str | None, typer.Option(help="Measure on this device.  [default: where the model is]")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of every measurement.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write the difference to this file, for `git apply`.")] = None,
) -> None:
    """Change the source so that what is wrong is right, and show the difference.

    The config or script is diagnosed, changed, and diagnosed again as changed, until nothing is left that can be fixed; nothing is
    written without --write. Exit codes: 0 nothing is wrong with the files as they now are, 1 something still is.
    """
    from trainingdoctor.cli.cured import cure_of, is_script_given, root_of, subject_for
    from trainingdoctor.cli.deliver import check_writable
    from trainingdoctor.cli.deliver import write as write_text
    from trainingdoctor.cli.streams import reserved_stdout
    from trainingdoctor.remedy.patch import backup_of
    from trainingdoctor.render.cure import print_cure
    from trainingdoctor.report import Verdict

    if output is not None:
        check_writable(output)
    if write and config.is_file():
        check_writable(config, "--write")
        check_writable(backup_of(config.resolve()), "--write")
    with reserved_stdout() as stdout:
        subject = subject_for(config, select, ignore, quick, time_limit, device, seed)
        script = tuple(arguments or ()) if is_script_given(config, kind, arguments) else None
        cure = cure_of(subject, interactive, script)
        difference = cure.patch.diff(root_of(cure.patch.after))
        if output is not None:
            write_text(output, difference)
        backups = cure.patch.write() if write else []
        print_cure(cure, difference, [path.name for path in backups], stdout)
    unwell = (cure.after if write else cure.before).verdict is Verdict.UNWELL
    raise typer.Exit(FINDINGS if unwell else HEALTHY)
