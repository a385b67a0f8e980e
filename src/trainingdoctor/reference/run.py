"""A whole reference run: data, training, records on disk, and the certificate."""

import hashlib
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from trainingdoctor.errors import UserError
from trainingdoctor.reference import records
from trainingdoctor.reference.checkpoint import load_checkpoint, save_checkpoint
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.memory import is_out_of_memory, keep_to, no_memory
from trainingdoctor.reference.parts import Parts
from trainingdoctor.reference.processes import Processes
from trainingdoctor.reference.records import source_hash
from trainingdoctor.reference.settings import Settings
from trainingdoctor.reference.train import EpochMetrics, OnStep, Run, Say

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class RunResult:
    """One finished run. accuracy: test accuracy of the last epoch, in percent.  seconds: of training, without evaluation.

    warm_up_seconds: of compiling and capturing before the first step.  fused: whether it ran on this package's kernels.
    """

    seed: int
    accuracy: float
    seconds: float
    epochs: int
    parameters: int
    data: str
    metrics: tuple[EpochMetrics, ...]
    warm_up_seconds: float = 0.0
    fused: bool = False


def train_resnet110(
    images: Images,
    settings: Settings,
    *,
    parts: Parts | None = None,
    processes: Processes | None = None,
    output: Path | None = None,
    resume: bool = False,
    target: float = 90.0,
    on_epoch: Callable[[EpochMetrics, int], None] = lambda *_: None,
    on_step: OnStep = lambda *_: None,
    say: Say = lambda _: None,
) -> RunResult:
    """Train one seed. With `output`, writes config, environment, metrics, curve and a checkpoint per epoch there.

    processes: of which this is one; the batch is shared by all, and the first one writes.

    parts: what is put together with the recipe, where it is not the reference's own.
    resume: go on from the checkpoint in `output`, to the same figures as an uninterrupted run. Raises UserError for a
    checkpoint that is not this run's, and for a device without the memory.
    """
    with deterministic(), current(settings.device):
        run = _placed(settings, images, parts, processes)
        writes = run.processes.is_first
        identity = _identity(settings, images)
        file = output / CHECKPOINT if output is not None else None
        if output is not None and file is not None:
            if writes:
                records.prepare(output)
            if resume and file.is_file():
                run.load_state(load_checkpoint(file, identity))
                say(f"resuming after epoch {run.epochs_done}")
            if writes:
                records.write_conditions(output, _conditions(settings, images), run.device)
        run.warm_up(say)
        for metrics in run.epochs(say, on_step):
            if output is not None and file is not None and writes:
                save_checkpoint(file, {"identity": identity, **run.state()})
                records.write_metrics(output, run.metrics)
            on_epoch(metrics, settings.epochs)
    result = replace(
        result_of(run.metrics, settings.seed, run.model, images.source),
        warm_up_seconds=run.warm_up_seconds,
        fused=run.fused,
    )
    if output is not None and writes:
        title = f"ResNet-{settings.depth}, {settings.recipe.name}, seed {settings.seed}"
        records.write_result(output, result, target, title)
    return result


def result_of(metrics: list[EpochMetrics], seed: int, model: torch.nn.Module, data: str) -> RunResult:
    """The result of a run that is over."""
    return RunResult(
        seed=seed,
        accuracy=metrics[-1].test_accuracy,
        seconds=sum(m.seconds for m in metrics),
        epochs=len(metrics),
        parameters=sum(p.numel() for p in model.parameters()),
        data=data,
        metrics=tuple(metrics),
    )


def _placed(settings: Settings, images: Images, parts: Parts | None, processes: Processes | None) -> Run:
    try:
        if settings.vram is not None:
            keep_to(settings.vram, settings.device)
        return Run(settings, images, parts, processes)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise no_memory(settings.device, "the model and the images") from error


def current(device: str) -> AbstractContextManager[object]:
    """Streams and graphs are made on the current device: let it be this one, as far as it is a GPU."""
    return torch.cuda.device(device) if device.startswith("cuda") else nullcontext()


@contextmanager
def deterministic(wanted: bool = True) -> Iterator[None]:
    """cuDNN picks algorithms that give the same numbers each time, so that a resumed run ends as an uninterrupted one.

    wanted: False lets it try all and take the fastest.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = wanted, not wanted
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def _identity(settings: Settings, images: Images) -> str:
    """What must be the same for a checkpoint to be gone on with: settings, data and source."""
    shape = [list(images.train_x.shape), list(images.test_x.shape), int(images.train_y.sum())]
    return hashlib.sha256(json.dumps([settings.to_dict(), shape, source_hash()], sort_keys=True).encode()).hexdigest()


def _conditions(settings: Settings, images: Images) -> dict[str, Any]:
    return {
        **settings.to_dict(),
        "data": images.source,
        "train_samples": len(images.train_x),
        "source": source_hash(),
    }


def summary(results: list[RunResult]) -> dict[str, Any]:
    """Mean, standard deviation and minimum of the accuracies; seconds."""
    accuracies = [r.accuracy for r in results]
    return {
        "n": len(results),
        "mean": statistics.fmean(accuracies),
        "std": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "min": min(accuracies),
        "seconds": statistics.fmean(r.seconds for r in results),
        "warm_up_seconds": statistics.fmean(r.warm_up_seconds for r in results),
        "seconds_per_epoch": statistics.fmean(r.seconds / r.epochs for r in results),
    }


def device_named(gpu: int | None, device: str | None) -> str:
    """The device to run on: --device, --gpu N, else the first GPU, else the CPU. Raises UserError."""
    if device is None:
        device = f"cuda:{gpu or 0}" if gpu is not None or torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{device} cannot be used ({reason}): run `trainingdoctor env`, or use --device cpu") from error
    return device


def precision_for(device: str) -> str:
    """bfloat16 where the device computes in it; else float16 on a GPU that has matrix units for it (from compute capability 7.0 on);
    else float32 (autocast would only convert back and forth)."""
    if device.startswith("cuda"):
        capability = torch.cuda.get_device_capability(device)
        if torch.version.hip or capability >= (8, 0):
            return "bfloat16"
        return "float16" if capability >= (7, 0) else "float32"
    capable = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bfloat16" if device.startswith("cpu") and capable() else "float32"
