"""A whole reference run: data, training, records on disk, and the certificate."""

import hashlib
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from trainingdoctor.errors import UserError
from trainingdoctor.reference.checkpoint import load_checkpoint, save_checkpoint
from trainingdoctor.reference.curve import draw_curve
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.train import EpochMetrics, Run, Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunResult:
    """One finished run. accuracy: test accuracy of the last epoch, in percent.  seconds: of training, without evaluation."""

    seed: int
    accuracy: float
    seconds: float
    epochs: int
    parameters: int
    data: str
    metrics: tuple[EpochMetrics, ...]


def train_resnet110(
    images: Images,
    settings: Settings,
    *,
    output: Path | None = None,
    resume: bool = False,
    target: float = 90.0,
    on_epoch: Callable[[EpochMetrics, int], None] = lambda *_: None,
    say: Say = lambda _: None,
) -> RunResult:
    """Train one seed. With `output`, writes config, environment, metrics, curve and a checkpoint per epoch there.

    resume: go on from the checkpoint in `output`, to the same figures as an uninterrupted run. Raises UserError for a
    checkpoint that is not this run's.
    """
    run = Run(settings, images)
    identity = _identity(settings, images)
    file = output / "checkpoint.pt" if output is not None else None
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        if resume and file is not None and file.is_file():
            run.load_state(load_checkpoint(file, identity))
            say(f"resuming after epoch {run.epochs_done}")
        _write_conditions(output, settings, images)
    for metrics in run.epochs(say):
        if output is not None and file is not None:
            save_checkpoint(file, {"identity": identity, **run.state()})
            _write_metrics(output, run.metrics)
        on_epoch(metrics, settings.epochs)
    result = RunResult(
        seed=settings.seed,
        accuracy=run.metrics[-1].test_accuracy,
        seconds=sum(m.seconds for m in run.metrics),
        epochs=settings.epochs,
        parameters=sum(p.numel() for p in run.model.parameters()),
        data=images.source,
        metrics=tuple(run.metrics),
    )
    if output is not None:
        title = f"ResNet-{settings.depth}, {settings.recipe.name}, seed {settings.seed}"
        draw_curve(result.metrics, target, title, output / "curve.png")
        (output / "result.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    return result


def _identity(settings: Settings, images: Images) -> str:
    """What must be the same for a checkpoint to be gone on with: settings, data and source."""
    shape = [list(images.train_x.shape), list(images.test_x.shape), int(images.train_y.sum())]
    return hashlib.sha256(json.dumps([settings.to_dict(), shape, source_hash()], sort_keys=True).encode()).hexdigest()


def source_hash() -> str:
    """SHA-256 over the source files of this package, in order of their names."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _write_conditions(output: Path, settings: Settings, images: Images) -> None:
    device = torch.device(settings.device)
    environment = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    config = {
        **settings.to_dict(),
        "data": images.source,
        "train_samples": len(images.train_x),
        "source": source_hash(),
    }
    (output / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (output / "environment.json").write_text(json.dumps(environment, indent=2) + "\n")


def _write_metrics(output: Path, metrics: list[EpochMetrics]) -> None:
    lines = "".join(json.dumps(asdict(m)) + "\n" for m in metrics)
    temporary = output / "metrics.partial"
    temporary.write_text(lines)
    temporary.replace(output / "metrics.jsonl")


def summary(results: list[RunResult]) -> dict[str, Any]:
    """Mean, standard deviation and minimum of the accuracies; seconds."""
    accuracies = [r.accuracy for r in results]
    return {
        "n": len(results),
        "mean": statistics.fmean(accuracies),
        "std": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "min": min(accuracies),
        "seconds": statistics.fmean(r.seconds for r in results),
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
    """bfloat16 where the device computes in it, float32 elsewhere (autocast would only convert back and forth)."""
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capable = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bfloat16" if device.startswith("cpu") and capable() else "float32"
