"""`trainingdoctor diagnose my_config.py`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.cli.deliver import write
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.registry import Registry
    from trainingdoctor.report import Report
    from trainingdoctor.runner import Progress
    from trainingdoctor.settings import Settings

FORMATS = ("text", "json")


def diagnose(
    config: Annotated[Path, typer.Argument(help="A Python file that builds `model`, `train_loader`, `optimizer`, ...")],
    select: Annotated[
        list[str] | None, typer.Option(help="Run only these checks: a code or a prefix (lr, lr.too_high).")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Leave out a code or prefix, with a reason: lr.too_high='tuned'.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Inspect, and a few forward and backward passes; no trial training.")
    ] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for the whole diagnosis.  [default: 600]")] = None,
    device: Annotated[str | None, typer.Option(help="Measure on this device.  [default: where the model is]")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of every measurement.")] = 0,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 1 from this severity on: critical, warning or info.")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    output: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every check with what it saw, and tracebacks of crashes.")
    ] = False,
) -> None:
    """Examine a training: findings, root cause first, each with this run's numbers and a remedy.

    The config is executed. Exit codes: 0 healthy, 1 findings at or above --fail-on, 2 wrong usage or a config that
    cannot be loaded, 3 a check crashed and nothing else was found.
    """
    from trainingdoctor.cli.exits import exit_code
    from trainingdoctor.registry import load_registry

    if format not in FORMATS:
        raise UserError(f"--format {format}: use text or json")
    if time_limit is not None and time_limit <= 0:
        raise UserError(f"--time-limit {time_limit:g}: give a positive number of seconds")
    registry = load_registry()
    settings = _settings(config, registry, select, ignore, quick, time_limit, fail_on)
    report = _examine(config, registry, settings, device, seed)
    _deliver(report, format, output, verbose)
    raise typer.Exit(exit_code(report, settings.fail_on))


def _settings(
    config: Path,
    registry: Registry,
    select: list[str] | None,
    ignore: list[str] | None,
    quick: bool,
    time_limit: float | None,
    fail_on: str | None,
) -> Settings:
    """The file's settings; what the command line says wins."""
    from trainingdoctor.settings import checked_patterns, parse_ignore, read_settings, severity

    settings = read_settings(config.resolve().parent, registry)
    if select:
        settings = replace(settings, select=checked_patterns(select, registry, "--select"))
    if ignore:
        settings = replace(settings, ignore={**settings.ignore, **parse_ignore(ignore, registry, "--ignore")})
    if fail_on is not None:
        settings = replace(settings, fail_on=severity(fail_on, "--fail-on"))
    return replace(settings, quick=quick or settings.quick, time_limit=time_limit or settings.time_limit)


def _examine(config: Path, registry: Registry, settings: Settings, device: str | None, seed: int) -> Report:
    from trainingdoctor.runner import diagnose as run

    with contextlib.redirect_stdout(sys.stderr), _progress() as (say, progress):
        # What the user's code prints must not end up inside a report on standard output.
        say(f"loading {config.name}")
        from trainingdoctor.loading import load_config

        training = load_config(config)
        return run(training, settings=settings, device=device, seed=seed, progress=progress, registry=registry)


@contextlib.contextmanager
def _progress() -> Iterator[tuple[Callable[[str], object], Progress]]:
    """A status line on a terminal; silent in a pipe."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda *_: None)
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update, lambda done, total, code: status.update(f"{done}/{total}  {code}")


def _deliver(report: Report, format: str, output: Path | None, verbose: bool) -> None:
    if format == "json" or (output is not None and output.suffix == ".json"):
        from trainingdoctor.render.json import render_json

        text = render_json(report)
        if output is None:
            sys.stdout.write(text)
        else:
            write(output, text)
        if output is None or format == "json":
            return
    _print(report, None if output is not None and output.suffix == ".json" else output, verbose)


def _print(report: Report, output: Path | None, verbose: bool) -> None:
    import io

    from rich.console import Console

    from trainingdoctor.render.terminal import print_report

    if output is None:
        print_report(report, Console(), verbose=verbose)
        tracebacks = [r.traceback for r in report.results if r.traceback]
        if verbose and tracebacks:
            print(*tracebacks, sep="\n", file=sys.stderr)  # noqa: T201
        return
    buffer = io.StringIO()
    print_report(report, Console(file=buffer, width=100), verbose=verbose)
    write(output, buffer.getvalue())
