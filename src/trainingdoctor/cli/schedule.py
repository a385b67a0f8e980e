"""`trainingdoctor schedule my_config.py`: the learning rate over the whole run, without making it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.cli.measured import examined
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.measure.schedule import ScheduleTrace


def schedule(
    config: Annotated[Path, typer.Argument(help="A Python file that builds `optimizer`, `scheduler`, `epochs`, ...")],
    plot: Annotated[Path | None, typer.Option(help="Draw the schedule into this file (.png, .svg, .pdf).")] = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Simulate the learning rate of every epoch or step of a run.

    Exit codes: 0 simulated, whatever was found; 2 wrong usage, or a config that cannot be loaded or simulated.
    """
    if format not in ("text", "json"):
        raise UserError(f"--format {format}: use text or json")
    if plot is not None:
        from trainingdoctor.plots.canvas import require_writable

        require_writable(plot)
    with examined(config, "schedule", ("optimizer", "epochs")) as training:
        from trainingdoctor.measure.schedule import schedule_trace

        trace: ScheduleTrace = schedule_trace(
            training.optimizer,
            training.epochs,
            training.scheduler_interval,
            training.scheduler,
            training.train_loader,
        )
    if plot is not None:
        trace.plot(plot)
    _deliver(trace, training.name, format)


def _deliver(trace: ScheduleTrace, name: str, format: str) -> None:
    if format == "json":
        import json
        from dataclasses import asdict

        sys.stdout.write(json.dumps({"target": name, **asdict(trace)}, indent=2, allow_nan=False) + "\n")
        return
    from rich.console import Console

    from trainingdoctor.render.schedule import lines

    console = Console()
    for line in lines(trace, name):
        console.print(line, soft_wrap=True)
