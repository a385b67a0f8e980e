"""What a run leaves on disk: config, environment, metrics, curve, result."""

import hashlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainingdoctor.errors import UserError
from trainingdoctor.files import write_whole
from trainingdoctor.reference.curve import draw_curve
from trainingdoctor.reference.train import EpochMetrics

if TYPE_CHECKING:
    from trainingdoctor.reference.run import RunResult


def prepare(output: Path) -> None:
    """Make the folder. Raises UserError where that cannot be done."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output} cannot be made: {error.strerror}") from error


def source_hash(*others: Path) -> str:
    """SHA-256 over the source files of this package, in order of their names, and over `others`."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for file in (*sorted(f for kind in ("*.py", "*.cu") for f in folder.rglob(kind)), *others):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def write_conditions(output: Path, config: Mapping[str, Any], device: torch.device) -> None:
    """config.json and environment.json."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    environment = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "device": name,
        "threads": torch.get_num_threads(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    write_whole(output / "config.json", json.dumps(config, indent=2, default=str) + "\n")
    write_whole(output / "environment.json", json.dumps(environment, indent=2) + "\n")


def write_metrics(output: Path, metrics: Sequence[EpochMetrics]) -> None:
    """metrics.jsonl, a line for each epoch."""
    write_whole(output / "metrics.jsonl", "".join(json.dumps(asdict(m)) + "\n" for m in metrics))


def write_result(output: Path, result: "RunResult", target: float, title: str) -> None:
    """metrics.jsonl, curve.png and result.json."""
    write_metrics(output, result.metrics)
    draw_curve(result.metrics, target, title, output / "curve.png")
    write_whole(output / "result.json", json.dumps(asdict(result), indent=2) + "\n")
