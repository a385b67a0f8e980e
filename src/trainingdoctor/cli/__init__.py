"""The command line: parse, load, diagnose, render, exit code. torch is imported inside the commands only."""

import sys

import typer

from trainingdoctor.cli.catalogue import checks, explain
from trainingdoctor.cli.diagnose import diagnose
from trainingdoctor.cli.enforce import ended_soon
from trainingdoctor.cli.env import env
from trainingdoctor.cli.exits import exits
from trainingdoctor.cli.fix import fix
from trainingdoctor.cli.history import compare, history
from trainingdoctor.cli.lr_range import lr_range
from trainingdoctor.cli.reference_run import reference_run
from trainingdoctor.cli.schedule import schedule
from trainingdoctor.cli.streams import make_readable, open_missing
from trainingdoctor.cli.verify import verify

app = typer.Typer(
    name="trainingdoctor",
    help="Finds out why a neural network trains badly, and what cures it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from trainingdoctor import __version__

        typer.echo(f"trainingdoctor {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    pass


for command in (diagnose, fix, verify, history, compare, lr_range, schedule, env, reference_run, checks, explain):
    app.command(command.__name__.replace("_", "-"))(exits(command))


def main() -> None:
    """Entry point of the `trainingdoctor` command."""
    open_missing()
    make_readable(sys.stdout, sys.stderr)
    try:
        app(prog_name="trainingdoctor")
    except SystemExit as leaving:
        ended_soon(leaving.code if isinstance(leaving.code, int) else 0)
        raise
