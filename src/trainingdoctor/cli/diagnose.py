"""`trainingdoctor diagnose my_config.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.aside import aside
from trainingdoctor.cli.completing import codes
from trainingdoctor.cli.deliver import FORMATS, Delivery, check_writable, deliver, draws_pictures
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.history.curves import LearningCurves
    from trainingdoctor.registry import Registry
    from trainingdoctor.report import Report
    from trainingdoctor.settings import Settings

KINDS = ("auto", "script", "config")


def diagnose(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="A config that builds `model`, `train_loader`, ..., or a training script or notebook.",
            show_default=False,
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="The script's own arguments, after --.", show_default=False)
    ] = None,
    kind: Annotated[str, typer.Option("--as", help="auto, script or config.")] = "auto",
    steps: Annotated[int, typer.Option(min=2, help="Training steps of a script to watch.")] = 50,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for what the script writes.  [default: one that is deleted]")
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(help="Metrics of a finished run: CSV, trainer_state.json, TensorBoard. Enough by itself, too."),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(autocompletion=codes, help="Run only these checks: a code or a prefix (lr, lr.too_high)."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(autocompletion=codes, help="Leave out a code or prefix, with a reason: lr.too_high='tuned'."),
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
    baseline: Annotated[
        Path | None, typer.Option(help="Findings that this file lists are known: only others make the exit code 1.")
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write what is found into the file of --baseline.")
    ] = False,
    format: Annotated[
        str, typer.Option("--format", help="text, json, html, markdown, sarif or junit; else as --output ends.")
    ] = "text",
    output: Annotated[
        list[Path] | None, typer.Option(help="Write the report to this file; several may be given.", show_default=False)
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Keep the report in .trainingdoctor/, for `history` and `compare`.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every check with what it saw, and tracebacks of crashes.")
    ] = False,
) -> None:
    """Examine a training: findings, root cause first, each with this run's numbers and a remedy.

    A config is executed. A script is run unchanged in a process of its own, watched for some dozens of steps, and
    stopped: trainingdoctor diagnose train.py -- --arch resnet110. Exit codes: 0 healthy, 1 findings at or above --fail-on
    that no --baseline lists, 2 wrong usage or a config that cannot be loaded, 3 a check crashed and nothing else was found.
    """
    from trainingdoctor.cli.accepted import accepted_by
    from trainingdoctor.cli.examine import examine
    from trainingdoctor.cli.exits import exit_code
    from trainingdoctor.cli.streams import reserved_stdout
    from trainingdoctor.registry import load_registry

    started = time.perf_counter()
    if format not in FORMATS:
        raise UserError(f"--format {format}: use {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if not 0 <= seed < 1 << 63:
        raise UserError(f"--seed {seed}: give a number from 0 to 2**63 - 1")
    outputs = tuple(path.resolve() for path in output or ())
    for path in output or ():
        check_writable(path)
    if format != "text" and len(outputs) > 1:
        raise UserError(f"--format {format} goes with one --output: the endings of several files tell their formats")
    if config is None and history is None:
        raise UserError("give a config or a script to diagnose, or --history FILE with the metrics of a finished run")
    examined = (config or history or Path()).resolve()
    accepted = accepted_by(baseline, update_baseline, examined)
    curves = _curves(history)
    registry = load_registry()
    settings = settings_for(config or Path("pyproject.toml"), registry, select, ignore, quick, time_limit, fail_on)
    saved = (config or Path("history")).resolve() if save else None
    delivery = Delivery(format, outputs, verbose, saved, examined, accepted)
    settings = replace(settings, pictures=draws_pictures(delivery))
    watched = (
        Watched(tuple(arguments or ()), steps, keep)
        if config is not None and is_script_wanted(config, kind, arguments)
        else None
    )
    with reserved_stdout() as stdout:
        report: Report | None
        if config is None:
            report = _history_alone(curves, settings, registry)
        elif watched is not None:
            report = _observe(
                config, watched, settings, device, seed, curves, lambda cut: deliver(cut, delivery, stdout)
            )
        else:
            report = examine(config.resolve(), registry, settings, device, seed, started, delivery, stdout, curves)
        if report is None:
            # Not the first of several processes: that one reports.
            raise typer.Exit
        report = deliver(report, delivery, stdout)
    raise typer.Exit(exit_code(report, settings.fail_on))


@dataclass(frozen=True)
class Watched:
    """How a script is run. arguments: its own.  steps: to watch.  keep: the folder for what it writes."""

    arguments: tuple[str, ...]
    steps: int
    keep: Path | None


def is_script_wanted(path: Path, kind: str, arguments: list[str] | None) -> bool:
    """Whether a file is to be run and watched: by its source, or as the user says. Raises UserError."""
    from trainingdoctor.loading.kind import is_script

    if kind not in KINDS:
        raise UserError(f"--as {kind}: use auto, script or config")
    if kind == "config" and arguments:
        raise UserError(f"a config takes no arguments: leave out {' '.join(arguments)!r}, or say --as script")
    return path.is_file() and (kind == "script" or (kind == "auto" and (bool(arguments) or is_script(path))))


def _curves(history: Path | None) -> LearningCurves | None:
    """Read before anything else is: what is no metrics file is said at once."""
    if history is None:
        return None
    from trainingdoctor.history.read import read_history

    return read_history(history)


def _history_alone(curves: LearningCurves | None, settings: Settings, registry: Registry) -> Report:
    """Only what curves can tell: nothing else is there to be examined."""
    from trainingdoctor.runner import diagnose as run
    from trainingdoctor.training import Training

    name = "the metrics" if curves is None else curves.source
    return run(Training(history=curves, name=name), settings=replace(settings, select=("history",)), registry=registry)


def _observe(
    script: Path,
    watched: Watched,
    settings: Settings,
    device: str | None,
    seed: int,
    curves: LearningCurves | None,
    if_cut: Callable[[Report], object],
) -> Report | None:
    from trainingdoctor.cli.examine import progress_line
    from trainingdoctor.observing.launch import observed_answer

    with progress_line() as (say, _):
        say(f"watching {script.name} train")
        answer = observed_answer(
            script,
            watched.arguments,
            settings=settings,
            steps=watched.steps,
            seed=seed,
            device=device,
            keep=watched.keep,
            history=curves,
            if_cut=if_cut,
        )
    for note in answer.notes:
        aside(f"{script.name}: {note}")
    return answer.report


def settings_for(
    config: Path,
    registry: Registry,
    select: list[str] | None,
    ignore: list[str] | None,
    quick: bool,
    time_limit: float | None,
    fail_on: str | None,
) -> Settings:
    """The file's settings; what the command line says wins."""
    from trainingdoctor.settings import checked_patterns, parse_ignore, read_settings, seconds, severity

    settings = read_settings(config.resolve().parent, registry)
    if select:
        settings = replace(settings, select=checked_patterns(select, registry, "--select"))
    if ignore:
        settings = replace(settings, ignore={**settings.ignore, **parse_ignore(ignore, registry, "--ignore")})
    if time_limit is not None:
        settings = replace(settings, time_limit=seconds(time_limit, "--time-limit"))
    if fail_on is not None:
        settings = replace(settings, fail_on=severity(fail_on, "--fail-on"))
    return replace(settings, quick=quick or settings.quick)
