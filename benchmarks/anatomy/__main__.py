"""What each fault costs the reference: its test accuracy with one fault switched on, against the healthy twin's.

python benchmarks/anatomy --data DIR [--depth 110] [--epochs 15] [--seeds 1] [--healthy 3] [--only TEXT|TEXT]
                          [--budget SECONDS] [--parallel 1] [--device cuda:0] [--output FILE]

The twin is `reference-run`'s recipe `fast` in --epochs epochs. Resumable: rows that are in --output are not run again. A budget
that ends leaves out the last faults, and says how many.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from faults import FAULTS
from subject import Subject, healthy
from table import read_rows, write

from trainingdoctor.reference import load_images
from trainingdoctor.reference.run import device_named, precision_for
from trainingdoctor.reference.train import Run

RESULTS = Path(__file__).resolve().parent.parent / "results"


class Training:
    """One training, made ready by itself and then run, perhaps beside others."""

    def __init__(self, about: dict[str, Any], subject: Subject, seed: int) -> None:
        self.about, self.seed = about, seed
        self.run = Run(replace(subject.settings, seed=seed), subject.images, subject.parts)
        self.run.warm_up(print)

    def __call__(self) -> dict[str, Any]:
        """Train to the end, on a stream of its own where there are streams."""
        started, cuda = time.perf_counter(), self.run.device.type == "cuda"
        with torch.cuda.stream(torch.cuda.Stream()) if cuda else nullcontext():
            metrics = list(self.run.epochs(print))
        last = metrics[-1]
        return {
            **self.about,
            "seed": self.seed,
            "accuracy": last.test_accuracy,
            "train_accuracy": round(last.train_accuracy, 2),
            "loss": round(last.loss, 4) if math.isfinite(last.loss) else str(last.loss),
            "best": max(m.test_accuracy for m in metrics),
            "epochs": len(metrics),
            "graph": self.run.graphed is not None,
            "wall": round(time.perf_counter() - started, 2),
        }


def side_by_side(jobs: list[tuple[dict[str, Any], Subject, int]]) -> list[dict[str, Any]]:
    """Small nets leave most of a card idle: several at once, each captured before any runs."""
    trainings = [Training(*job) for job in jobs]
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    with ThreadPoolExecutor(len(trainings)) as pool:
        return list(pool.map(lambda training: training(), trainings))


def plan(twin: Subject, arguments: argparse.Namespace) -> Iterator[tuple[dict[str, Any], Subject, int]]:
    """What is to be run: the twin's seeds, then each fault; the first seed of all before the second of any."""
    for seed in range(arguments.healthy):
        yield {"fault": "healthy", "code": "healthy", "strength": ""}, twin, seed
    for seed in range(arguments.seeds):
        for fault in FAULTS:
            if any(text in fault.name for text in arguments.only.split("|")):
                about = {"fault": fault.name, "code": fault.code, "strength": fault.strength}
                yield about, fault.change(twin), seed


def conditions(arguments: argparse.Namespace, twin: Subject) -> dict[str, Any]:
    """What the figures were taken under."""
    device = torch.device(twin.settings.device)
    return {
        "command": f"python benchmarks/anatomy --depth {arguments.depth} --epochs {arguments.epochs} --seeds {arguments.seeds} --healthy {arguments.healthy}",
        "model": f"ResNet-{arguments.depth}",
        "data": twin.images.source,
        "train_samples": len(twin.images.train_x),
        "epochs": arguments.epochs,
        "batch_size": twin.settings.batch_size,
        "peak": twin.settings.recipe.peak,
        "recipe": twin.settings.recipe.name,
        "precision": twin.settings.precision,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "torch": torch.__version__,
    }


def main() -> None:
    """Parse, train what is missing, write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--depth", type=int, default=110)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--healthy", type=int, default=3, help="seeds of the twin")
    parser.add_argument("--limit", type=int, help="train on so many samples")
    parser.add_argument("--only", default="", help="faults whose name holds one of these texts, separated by |")
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds after which nothing new is begun")
    parser.add_argument("--parallel", type=int, default=1, help="trainings side by side on the device")
    parser.add_argument("--device")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    output = arguments.output or RESULTS / f"anatomy-resnet{arguments.depth}.json"
    started, device = time.perf_counter(), device_named(None, arguments.device)
    images = load_images(arguments.data).limited(arguments.limit)
    twin = healthy(
        images,
        depth=arguments.depth,
        epochs=arguments.epochs,
        device=device,
        precision=precision_for(device),
        graph=device.startswith("cuda"),
    )
    rows, longest = read_rows(output), 0.0
    done = {(r["fault"], r["seed"]) for r in rows}
    jobs = [job for job in plan(twin, arguments) if (job[0]["fault"], job[2]) not in done]
    while jobs and time.perf_counter() - started + longest < arguments.budget:
        begun = time.perf_counter()
        some, jobs = jobs[: arguments.parallel], jobs[arguments.parallel :]
        rows += side_by_side(some)
        longest = max(longest, time.perf_counter() - begun)
        for row in rows[-len(some) :]:
            print(f"{time.perf_counter() - started:6.1f} s  {row}", flush=True)
        write(output, rows, conditions(arguments, twin))
        gc.collect()
    print(f"{output}: {len(rows)} trainings, {len(jobs)} left out for want of time")


if __name__ == "__main__":
    main()
