"""What each fault costs the reference: its test accuracy with one fault switched on, against the healthy twin's.

python benchmarks/anatomy --data DIR [--depth 110] [--epochs 15] [--seeds 1] [--healthy 3] [--only TEXT|TEXT]
                          [--budget SECONDS] [--device cuda:0] [--output FILE]

The twin is `reference-run`'s recipe `fast` in --epochs epochs. Resumable: rows that are in --output are not run again. A budget
that ends leaves out the last faults, and says how many.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from faults import FAULTS
from subject import Subject, healthy
from table import read_rows, write

from trainingdoctor.reference import load_images
from trainingdoctor.reference.data import Images
from trainingdoctor.reference.run import device_named, precision_for
from trainingdoctor.reference.train import Run

RESULTS = Path(__file__).resolve().parent.parent / "results"


def train(subject: Subject, seed: int) -> dict[str, Any]:
    """One training to its end."""
    started = time.perf_counter()
    run = Run(replace(subject.settings, seed=seed), subject.images, subject.parts)
    run.warm_up(print)
    metrics = list(run.epochs(print))
    last = metrics[-1]
    return {
        "seed": seed,
        "accuracy": last.test_accuracy,
        "train_accuracy": round(last.train_accuracy, 2),
        "loss": round(last.loss, 4) if math.isfinite(last.loss) else str(last.loss),
        "best": max(m.test_accuracy for m in metrics),
        "epochs": len(metrics),
        "graph": run.graphed is not None,
        "seconds": round(sum(m.seconds for m in metrics), 2),
        "wall": round(time.perf_counter() - started, 2),
    }


def plan(twin: Subject, arguments: argparse.Namespace) -> Iterator[tuple[dict[str, Any], Subject, int]]:
    """What is to be run: the twin's seeds, then each fault; the first seed of all before the second of any."""
    for seed in range(arguments.healthy):
        yield {"fault": "healthy", "code": "healthy", "strength": ""}, twin, seed
    for seed in range(arguments.seeds):
        for fault in FAULTS:
            if any(text in fault.name for text in arguments.only.split("|")):
                about = {"fault": fault.name, "code": fault.code, "strength": fault.strength}
                yield about, fault.change(twin), seed


def conditions(arguments: argparse.Namespace, twin: Subject, images: Images) -> dict[str, Any]:
    """What the figures were taken under."""
    device = torch.device(twin.settings.device)
    cuda = device.type == "cuda"
    return {
        "command": f"python benchmarks/anatomy --depth {arguments.depth} --epochs {arguments.epochs} --seeds {arguments.seeds} --healthy {arguments.healthy}",
        "model": f"ResNet-{arguments.depth}",
        "data": images.source,
        "train_samples": len(images.train_x),
        "epochs": arguments.epochs,
        "batch_size": twin.settings.batch_size,
        "peak": twin.settings.recipe.peak,
        "recipe": twin.settings.recipe.name,
        "precision": twin.settings.precision,
        "device": torch.cuda.get_device_name(device) if cuda else "CPU",
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
    rows, left, longest = read_rows(output), 0, 0.0
    done = {(r["fault"], r["seed"]) for r in rows}
    for about, subject, seed in plan(twin, arguments):
        if (about["fault"], seed) in done:
            continue
        if time.perf_counter() - started + longest > arguments.budget:
            left += 1
            continue
        rows.append({**about, **train(subject, seed)})
        longest = max(longest, rows[-1]["wall"])
        print(f"{time.perf_counter() - started:6.1f} s  {rows[-1]}", flush=True)
        write(output, rows, conditions(arguments, twin, images))
        gc.collect()
    print(f"{output}: {len(rows)} trainings, {left} left out for want of time")


if __name__ == "__main__":
    main()
