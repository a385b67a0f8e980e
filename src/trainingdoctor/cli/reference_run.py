"""`trainingdoctor reference-run`: train the reference ResNet-110, and certify it or say why not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.reference import EpochMetrics, RunResult, Settings
    from trainingdoctor.reference.data import Images

DEPTHS = {"resnet110": 110, "resnet20": 20}


def reference_run(
    recipe: Annotated[
        str, typer.Option(help="fast (one-cycle, large batch) or he2015 (the paper's 64k iterations).")
    ] = "fast",
    gpu: Annotated[int | None, typer.Option(help="Index of the GPU.  [default: the first, else the CPU]")] = None,
    device: Annotated[str | None, typer.Option(help="Device by name, as in --device cpu.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="CIFAR-10: torchvision's folder, cifar10.npz, or class folders.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch CIFAR-10 into --data.")] = False,
    model: Annotated[str, typer.Option(help="resnet110, or resnet20 for a CPU (certified as such).")] = "resnet110",
    epochs: Annotated[int | None, typer.Option(help="Length of the run.  [default: the recipe's]")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples per step; the rate is scaled with it.  [default: the recipe's]")
    ] = None,
    seed: Annotated[int, typer.Option(help="First random seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="Number of runs, with consecutive seeds.")] = 1,
    target: Annotated[float, typer.Option(help="Test accuracy to certify, in percent.")] = 90.0,
    precision: Annotated[
        str | None, typer.Option(help="bfloat16 or float32.  [default: what the device is fast in]")
    ] = None,
    limit_train: Annotated[int | None, typer.Option(help="Train on the first N samples only; never certified.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Generated data, a few steps: tries the machinery, never certified.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Folder for metrics, config, environment, curve and checkpoint.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --output.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Train this config in the same harness, and compare it with the target.")
    ] = None,
) -> None:
    """Train the reference ResNet-110 on CIFAR-10 and certify its test accuracy (last epoch, single view).

    Exit codes: 0 certified, 1 not certified, 2 wrong usage or no data.
    """
    if config is not None:
        raise typer.Exit(_own(config, epochs, target))
    from trainingdoctor.reference.run import summary, train_resnet110

    images, settings = _prepared(
        recipe, gpu, device, data, download, model, epochs, batch_size, seed, precision, limit_train, smoke
    )
    if resume and output is None:
        raise UserError("--resume needs --output: the folder of the run to go on with")
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: at least one run is needed")
    _say(
        f"ResNet-{settings.depth}, {settings.recipe.name}, {settings.epochs} epochs of {len(images.train_x):,} images on {settings.device}, {settings.precision}"
    )
    results = []
    for one in range(seed, seed + seeds):
        folder = output if output is None or seeds == 1 else output / f"seed{one}"
        with _progress() as on_epoch:
            results.append(
                train_resnet110(
                    images,
                    _with_seed(settings, one),
                    output=folder,
                    resume=resume,
                    target=target,
                    on_epoch=on_epoch,
                    say=_say,
                )
            )
    if output is not None and seeds > 1:
        (output / "summary.json").write_text(json.dumps(summary(results), indent=2) + "\n")
    why_not = _why_not(results, target, smoke, limit_train)
    _certificate(results, why_not, target)
    raise typer.Exit(1 if why_not else 0)


def _with_seed(settings: Settings, seed: int) -> Settings:
    from dataclasses import replace

    return replace(settings, seed=seed)


def _prepared(
    recipe: str,
    gpu: int | None,
    device: str | None,
    data: Path | None,
    download: bool,
    model: str,
    epochs: int | None,
    batch_size: int | None,
    seed: int,
    precision: str | None,
    limit_train: int | None,
    smoke: bool,
) -> tuple[Images, Settings]:
    from dataclasses import replace

    from trainingdoctor.reference import Settings, generated_images, load_images
    from trainingdoctor.reference.recipe import recipe_named
    from trainingdoctor.reference.run import device_named, precision_for

    if model not in DEPTHS:
        raise UserError(f"--model {model}: use {' or '.join(DEPTHS)}")
    if precision not in (None, "bfloat16", "float32"):
        raise UserError(f"--precision {precision}: use bfloat16 or float32")
    if min(epochs or 1, batch_size or 1, limit_train or 1) < 1:
        raise UserError("--epochs, --batch-size and --limit-train must be positive")
    chosen, where = recipe_named(recipe), device_named(gpu, device)
    images = (generated_images(64, 32) if smoke else load_images(data, download)).limited(limit_train)
    size = min(batch_size or (32 if smoke else chosen.batch_size), len(images.train_x))
    chosen = replace(chosen, peak=chosen.peak * size / chosen.batch_size)
    length = epochs or (2 if smoke else chosen.epochs)
    return images, Settings(chosen, DEPTHS[model], length, size, seed, where, precision or precision_for(where))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


class _progress:
    """A live line on a terminal, one line per epoch in a pipe."""

    def __enter__(self) -> Callable[[EpochMetrics, int], None]:
        self.live: Any = None
        if sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.live = Progress(BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self.live.start()
            self.task = self.live.add_task("first epoch", total=None)
        return self.report

    def report(self, metrics: EpochMetrics, total: int) -> None:
        """Show one finished epoch."""
        m = metrics
        line = (
            f"epoch {m.epoch}/{total}  lr {m.rate:.4f}  loss {m.loss:.3f}  train {m.train_accuracy:.2f} %  test {m.test_accuracy:.2f} %  "
            f"{m.images_per_second:,.0f} images/s"
        )
        if self.live is None:
            _say(f"{line}  {m.seconds:.1f} s  {(total - m.epoch) * m.seconds:.0f} s left")
        else:
            self.live.update(self.task, total=total, completed=m.epoch, description=line)

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()


def _why_not(results: list[RunResult], target: float, smoke: bool, limit_train: int | None) -> str | None:
    if smoke:
        return "a smoke run on generated data proves the machinery only"
    if limit_train is not None:
        return f"only {limit_train:,} training samples were used"
    worst = min(r.accuracy for r in results)
    return f"{worst:.2f} % is below the target of {target:g} %" if worst < target else None


def _certificate(results: list[RunResult], why_not: str | None, target: float) -> None:
    from trainingdoctor.reference.run import summary

    s = summary(results)
    spread = f" (mean of {s['n']}, std {s['std']:.2f}, min {s['min']:.2f})" if s["n"] > 1 else ""
    figures = f"test accuracy {s['mean']:.2f} %{spread}, {s['seconds']:.1f} s of training, {s['seconds_per_epoch']:.2f} s an epoch"
    _say(
        f"NOT CERTIFIED: {why_not}; {figures}"
        if why_not
        else f"CERTIFIED: {figures}, target {target:g} %, data: {results[0].data}"
    )


def _own(config: Path, epochs: int | None, target: float) -> int:
    from trainingdoctor.loading import load_config
    from trainingdoctor.reference.own import train_own

    training = load_config(config)
    with _progress() as on_epoch:
        result = train_own(training, epochs=epochs, on_epoch=on_epoch)
    gap = result.accuracy - target
    _say(
        f"{training.name}: test accuracy {result.accuracy:.2f} % after {result.epochs} epochs, {result.seconds:.1f} s of training"
    )
    _say(
        f"{'CERTIFIED' if gap >= 0 else 'NOT CERTIFIED'}: {abs(gap):.2f} points {'above' if gap >= 0 else 'below'} the target of {target:g} %"
    )
    return 0 if gap >= 0 else 1
