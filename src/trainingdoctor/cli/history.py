"""`trainingdoctor history` and `trainingdoctor compare A B`: runs that were kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trainingdoctor.cli.exits import FINDINGS, HEALTHY
from trainingdoctor.errors import UserError


def history(
    folder: Annotated[Path, typer.Argument(help="The folder of the config.")] = Path(),
) -> None:
    """List the runs that were kept: what was found, and the accuracy where one was measured."""
    from rich.console import Console
    from rich.table import Table

    from trainingdoctor.runs import FOLDER, Runs

    runs = Runs((folder if folder.is_dir() else folder.parent).resolve() / FOLDER).all()
    if not runs:
        print(f"no run was kept in {folder}: `diagnose --save` and `verify` keep theirs")  # noqa: T201
        return
    table = Table("run", "when", "what", "config", "verdict", "root causes", "accuracy", box=None, pad_edge=False)
    for run in runs:
        accuracy = "" if run.accuracy is None else f"{run.accuracy:.2f} %"
        causes = ", ".join(run.root_causes)
        table.add_row(str(run.number), run.started, run.kind, run.config, run.verdict, causes, accuracy)
    Console().print(table)


def compare(
    one: Annotated[str, typer.Argument(help="A JSON report, the number of a kept run, or last.", show_default=False)],
    other: Annotated[str, typer.Argument(help="The same, later.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the runs were kept.")] = Path(),
) -> None:
    """Say what was cured between two diagnoses, what is new, and what still stands.

    Exit codes: 0 nothing is new, 1 something is.
    """
    from rich.console import Console

    from trainingdoctor.render.comparison import comparison, print_comparison

    found = comparison(_report(one, folder), _report(other, folder))
    print_comparison(found, Console())
    raise typer.Exit(FINDINGS if found.new else HEALTHY)


def _report(name: str, folder: Path) -> dict[str, Any]:
    from trainingdoctor.runs import FOLDER, Runs

    path = Path(name)
    if not path.is_file():
        return Runs(folder.resolve() / FOLDER).report(name)
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{name} is no JSON report: {error}") from error
    if not isinstance(loaded, dict) or "findings" not in loaded:
        raise UserError(f"{name} is no report of trainingdoctor: it has no findings")
    return loaded
