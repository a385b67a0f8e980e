"""`trainingdoctor lr-range my_config.py`: the learning-rate range test of a config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.cli.measured import examined, status
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.measure.lr_range import LrCurve
    from trainingdoctor.training import Training

NEEDS = ("model", "train_loader", "criterion", "optimizer")


def lr_range(
    config: Annotated[Path, typer.Argument(help="A Python file that builds `model`, `train_loader`, `optimizer`, ...")],
    plot: Annotated[Path | None, typer.Option(help="Draw the curve into this file (.png, .svg, .pdf).")] = None,
    seeds: Annotated[int, typer.Option(help="How often the ramp is run.")] = 3,
    steps: Annotated[int, typer.Option(help="Optimizer steps of a ramp.")] = 100,
    low: Annotated[float, typer.Option(help="Lowest rate.")] = 1e-6,
    high: Annotated[float, typer.Option(help="Highest rate.")] = 10.0,
    accumulate: Annotated[int, typer.Option(help="Batches per optimizer step.")] = 1,
    device: Annotated[str | None, typer.Option(help="Measure on this device.  [default: where the model is]")] = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Which learning rates a training bears, and where its own lies: some steps at a rate that climbs.

    The config is executed; the training comes back as it was. Exit codes: 0 measured, whatever was found; 2 wrong
    usage, or a config that cannot be loaded or measured.
    """
    if format not in ("text", "json"):
        raise UserError(f"--format {format}: use text or json")
    if plot is not None:
        from trainingdoctor.plots.canvas import require_writable

        require_writable(plot)
    with examined(config, "lr-range", NEEDS, device) as training:
        curve = _measured(training, low, high, steps, seeds, accumulate)
    if plot is not None:
        curve.plot(plot)
    _deliver(curve, training.name, format)


def _measured(training: Training, low: float, high: float, steps: int, seeds: int, accumulate: int) -> LrCurve:
    from trainingdoctor.functions.lr_range import lr_range_test

    assert training.model is not None
    assert training.train_loader is not None
    assert training.criterion is not None
    with status(f"range test of {training.name}") as progress:
        try:
            return lr_range_test(
                training.model,
                training.train_loader,
                training.criterion,
                training.optimizer,
                rate=_peak(training),
                low=low,
                high=high,
                steps=steps,
                seeds=seeds,
                accumulate=accumulate,
                amp=training.amp,
                grad_clip=training.grad_clip,
                augment_on_device=training.augment_on_device,
                progress=progress,
            )
        except ValueError as error:
            raise UserError(f"lr-range: {error}") from error


def _peak(training: Training) -> float | None:
    """The highest rate of the schedule; None without a schedule that can be simulated."""
    from trainingdoctor.errors import Unavailable, UserCodeError
    from trainingdoctor.measure.schedule import schedule_trace

    if training.scheduler is None or training.epochs is None:
        return None
    try:
        peak: float = schedule_trace(
            training.optimizer,
            training.epochs,
            training.scheduler_interval,
            training.scheduler,
            training.train_loader,
        ).peak
    except (Unavailable, UserCodeError):
        return None
    return peak if peak > 0 else None


def _deliver(curve: LrCurve, name: str, format: str) -> None:
    if format == "json":
        import json

        sys.stdout.write(json.dumps({"target": name, **curve.to_dict()}, indent=2, allow_nan=False) + "\n")
        return
    from rich.console import Console

    from trainingdoctor.render.lr_curve import lines

    console = Console()
    for line in lines(curve, name):
        console.print(line, soft_wrap=True)
