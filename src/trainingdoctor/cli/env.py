"""`trainingdoctor env`: verdicts on Python, torch, GPU, driver and host. Works when torch does not."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from trainingdoctor.cli.deliver import check_writable, send, write
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.report import Report


def env(
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    output: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
) -> None:
    """Examine the environment: one verdict a line, with what was found and what mends it.

    Exit codes: 0 no warning, 1 a warning or critical finding, 2 wrong usage, 3 a check crashed and nothing else was
    found.
    """
    if format not in ("text", "json"):
        raise UserError(f"--format {format}: use text or json")
    from trainingdoctor.cli.exits import exit_code
    from trainingdoctor.cli.streams import reserved_stdout
    from trainingdoctor.finding import Severity
    from trainingdoctor.registry import load_registry
    from trainingdoctor.runner import diagnose
    from trainingdoctor.settings import Settings
    from trainingdoctor.training import Training

    if output is not None:
        check_writable(output)
    registry = load_registry()
    registry.checks = {code: c for code, c in registry.checks.items() if c.area == "env"}
    with reserved_stdout() as stdout:
        report = diagnose(Training(name="environment"), settings=Settings(), registry=registry)
        _deliver(report, format, output, stdout)
    raise typer.Exit(exit_code(report, Severity.WARNING))


def _deliver(report: Report, format: str, output: Path | None, stdout: TextIO) -> None:
    from rich.console import Console

    from trainingdoctor.render.environment import print_environment
    from trainingdoctor.render.json import render_json

    if format == "json" or (output is not None and output.suffix == ".json"):
        text = render_json(report)
    elif output is not None:
        buffer = StringIO()
        print_environment(report, Console(file=buffer, width=100))
        text = buffer.getvalue()
    else:
        console = Console(file=stdout)
        with console.capture() as drawn:
            print_environment(report, console)
        text = drawn.get()
    if output is not None:
        write(output, text)
    else:
        send(text, stdout)
