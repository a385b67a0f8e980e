"""`trainingdoctor env`: verdicts on Python, torch, GPU, driver and host. Works when torch does not."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trainingdoctor.errors import UserError


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
    from trainingdoctor.finding import Severity
    from trainingdoctor.registry import load_registry
    from trainingdoctor.runner import diagnose
    from trainingdoctor.settings import Settings
    from trainingdoctor.training import Training

    registry = load_registry()
    registry.checks = {code: c for code, c in registry.checks.items() if c.area == "env"}
    report = diagnose(Training(name="environment"), settings=Settings(), registry=registry)
    _deliver(report, format, output)
    raise typer.Exit(exit_code(report, Severity.WARNING))


def _deliver(report: object, format: str, output: Path | None) -> None:
    from trainingdoctor.cli.deliver import write
    from trainingdoctor.report import Report

    assert isinstance(report, Report)
    if format == "json":
        from trainingdoctor.render.json import render_json

        text = render_json(report)
    else:
        from trainingdoctor.render.environment import render_environment

        text = render_environment(report, colour=output is None and sys.stdout.isatty())
    if output is None:
        sys.stdout.write(text)
    else:
        write(output, text)
