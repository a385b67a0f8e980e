"""`trainingdoctor reference-run`: train the reference ResNet-110, and certify it or say why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.cli.live import Live, say
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.reference import RunResult, Settings
    from trainingdoctor.reference.data import Images

DEPTHS = {"resnet110": 110, "resnet20": 20}


def reference_run(
    recipe: Annotated[
        str,
        typer.Option(
            help="fast (one-cycle, large batch), muon (fast, with Muon) or he2015 (the paper's 64k iterations)."
        ),
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
        str | None, typer.Option(help="bfloat16, float16 or float32.  [default: what the device is fast in]")
    ] = None,
    graph: Annotated[
        bool | None, typer.Option(help="Replay the training step as a CUDA graph.  [default: on a GPU]")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the residual blocks (torch.compile); its time is told apart.")
    ] = False,
    fused: Annotated[
        bool | None,
        typer.Option(help="Train on this package's own CUDA kernels.  [default: with bfloat16 on a GPU that can]"),
    ] = None,
    vram: Annotated[
        float | None,
        typer.Option(help="Keep to so many GiB of the GPU's memory, in smaller steps whose gradients add up."),
    ] = None,
    limit_train: Annotated[int | None, typer.Option(help="Train on N samples only; never certified.")] = None,
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
    with_fixes: Annotated[bool, typer.Option("--with-fixes", help="Train what `fix` makes of --config.")] = False,
) -> None:
    """Train the reference ResNet-110 on CIFAR-10 and certify its test accuracy (last epoch, single view).

    On several GPUs: torchrun --nproc-per-node 4 -m trainingdoctor reference-run; each takes its share of every batch.

    Exit codes: 0 certified, 1 not certified, 2 wrong usage, no data or no memory, 130 interrupted.
    """
    if gpu is not None and device is not None:
        raise UserError("give --gpu N or --device NAME, not both")
    for name, value in (("--epochs", epochs), ("--batch-size", batch_size), ("--limit-train", limit_train)):
        if value is not None and value < 1:
            raise UserError(f"{name} {value}: give a positive number")
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: at least one run is needed")
    if not 0 <= seed < (1 << 32) - seeds:
        raise UserError(f"--seed {seed}: give a number from 0 to 2**32 - 1")
    _check_output(output, resume)
    if config is not None:
        from trainingdoctor.cli.own_run import own_run

        raise typer.Exit(own_run(config, with_fixes, epochs, target, gpu, device, seed, output, resume))
    if with_fixes:
        raise UserError("--with-fixes needs --config: there is nothing to fix in the reference")
    images, settings = _prepared(
        recipe, gpu, device, data, download, model, epochs, batch_size, seed, precision, graph, compiled, fused, vram, limit_train, smoke
    )  # fmt: skip
    results = _trained(images, settings, seeds, target, output, resume)
    why_not = _why_not(results, images, target, smoke, limit_train)
    _certificate(results, why_not, target)
    raise typer.Exit(1 if why_not else 0)


def _check_output(output: Path | None, resume: bool) -> None:
    if resume and output is None:
        raise UserError("--resume needs --output: the folder of the run to go on with")
    if output is not None and not resume and any(output.glob("**/checkpoint.pt")):
        raise UserError(f"--output {output} holds a run already: --resume goes on with it; or choose another folder")


def _trained(
    images: Images, settings: Settings, seeds: int, target: float, output: Path | None, resume: bool
) -> list[RunResult]:
    """One run for each seed, from that of the settings on."""
    from trainingdoctor.reference.processes import joined
    from trainingdoctor.reference.run import summary, train_resnet110

    length = f"{settings.iterations:,} iterations" if settings.iterations else f"{settings.epochs} epochs"
    say(
        f"ResNet-{settings.depth}, {settings.recipe.name}, {length} on {len(images.train_x):,} images, {settings.device}, "
        f"{settings.precision}"
    )
    results = []
    with joined(settings.device, settings.batch_size) as processes:
        for one in range(settings.seed, settings.seed + seeds):
            with Live() as live:
                results.append(
                    train_resnet110(
                        images,
                        replace(settings, seed=one),
                        processes=processes,
                        output=output if output is None or seeds == 1 else output / f"seed{one}",
                        resume=resume,
                        target=target,
                        on_epoch=live.on_epoch,
                        on_step=live.on_step,
                        say=say,
                    )
                )
    if output is not None and seeds > 1 and processes.is_first:
        (output / "summary.json").write_text(json.dumps(summary(results), indent=2) + "\n")
    return results


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
    graph: bool | None,
    compiled: bool,
    fused: bool | None,
    vram: float | None,
    limit_train: int | None,
    smoke: bool,
) -> tuple[Images, Settings]:
    from trainingdoctor.reference import Settings, generated_images, load_images
    from trainingdoctor.reference.recipe import recipe_named
    from trainingdoctor.reference.run import device_named, precision_for

    chosen, where = recipe_named(recipe), device_named(_gpu(gpu, device), device)
    _check_choices(model, precision, graph, vram, where)
    kind = precision or precision_for(where)
    images = (generated_images(64, 32) if smoke else load_images(data, download)).limited(limit_train)
    size = min(batch_size or (32 if smoke else chosen.batch_size), len(images.train_x))
    as_published = not (epochs or batch_size or smoke)
    chosen = replace(chosen, peak=chosen.peak * size / chosen.batch_size)
    settings = Settings(
        chosen,
        DEPTHS[model],
        epochs or (2 if smoke else chosen.epochs),
        size,
        seed,
        where,
        kind,
        iterations=chosen.iterations if as_published else None,
        # The scale of float16 is looked at on the host after each step.
        graph=where.startswith("cuda") and kind != "float16" if graph is None else graph,
        compiled=compiled,
        fused=_fused(fused, compiled, where, kind),
        vram=vram,
    )
    return images, settings


def _check_choices(model: str, precision: str | None, graph: bool | None, vram: float | None, where: str) -> None:
    if model not in DEPTHS:
        raise UserError(f"--model {model}: use {' or '.join(DEPTHS)}")
    if precision not in (None, "bfloat16", "float16", "float32"):
        raise UserError(f"--precision {precision}: use bfloat16, float16 or float32")
    if graph and not where.startswith("cuda"):
        raise UserError(f"--graph: {where} has no CUDA graphs; leave it out, or use --gpu N")
    if vram is not None and (not vram > 0 or not where.startswith("cuda")):
        raise UserError(f"--vram {vram:g}: a number of GiB above 0, of a GPU; {where} is to be used")


def _fused(wanted: bool | None, compiled: bool, where: str, precision: str) -> bool:
    """The user's word, else where the kernels can run. Raises UserError where they are asked for and cannot."""
    from trainingdoctor.reference.fused import why_not

    if wanted and compiled:
        raise UserError("--fused and --compile: the blocks run on one or the other; give one of them")
    if wanted is False or compiled:
        return False
    reason = why_not(where, precision)
    if wanted and reason:
        raise UserError(f"--fused: {reason}; leave it out")
    return reason is None


def _gpu(gpu: int | None, device: str | None) -> int | None:
    """The user's, else the one that torchrun gives to this process."""
    from trainingdoctor.reference.processes import own_gpu

    return gpu if gpu is not None or device is not None else own_gpu()


def _why_not(
    results: list[RunResult], images: Images, target: float, smoke: bool, limit_train: int | None
) -> str | None:
    if smoke:
        return "a smoke run on generated data proves the machinery only"
    if limit_train is not None:
        return f"only {limit_train:,} training samples were used"
    if not images.is_cifar10:
        return (
            f"the data is not CIFAR-10 ({len(images.train_x):,} and {len(images.test_x):,} images of {images.classes} classes, "
            "where CIFAR-10 has 50,000 and 10,000 of 10)"
        )
    worst = min(r.accuracy for r in results)
    return f"{worst:.2f} % is below the target of {target:g} %" if worst < target else None


def _certificate(results: list[RunResult], why_not: str | None, target: float) -> None:
    from trainingdoctor.reference.run import summary

    s = summary(results)
    spread = f" (mean of {s['n']}, std {s['std']:.2f}, min {s['min']:.2f})" if s["n"] > 1 else ""
    warm = f" after {s['warm_up_seconds']:.1f} s of warm-up" if s["warm_up_seconds"] else ""
    figures = f"test accuracy {s['mean']:.2f} %{spread}, {s['seconds']:.1f} s of training{warm}, {s['seconds_per_epoch']:.2f} s an epoch"
    data = f"data: {results[0].data}"
    say(
        f"NOT CERTIFIED: {why_not}; {figures}, {data}"
        if why_not
        else f"CERTIFIED: {figures}, target {target:g} %, {data}"
    )
