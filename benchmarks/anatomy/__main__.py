"""What each fault costs the reference: its test accuracy with one fault switched on, against the healthy twin's.

python benchmarks/anatomy --data DIR [--depth 110] [--epochs 15] [--seeds 1] [--healthy 3] [--only TEXT|TEXT]
                          [--budget SECONDS] [--parallel 1] [--device cuda:0] [--output FILE]
                          [--executor local|ray] [--jobs 1] [--address ADDRESS]

The twin is `reference-run`'s recipe `fast` in --epochs epochs. Resumable: rows that are in --output are not run again. A budget
that ends leaves out the last faults, and says how many. On a Ray cluster (`pip install trainingdoctor[ray]`) every node needs this
folder and the data in the same place.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from faults import FAULTS
from subject import Subject
from table import read_rows, write
from trial import ANATOMY, Share, Twin, subject_of

from trainingdoctor.errors import UserError
from trainingdoctor.verify.execute import executor_of

RESULTS = Path(__file__).resolve().parent.parent / "results"


def plan(arguments: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """What is to be run: the twin's seeds, then each fault; the first seed of all before the second of any."""
    for seed in range(arguments.healthy):
        yield "healthy", seed
    for seed in range(arguments.seeds):
        for fault in FAULTS:
            if any(text in fault.name for text in arguments.only.split("|")):
                yield fault.name, seed


def shares(twin: Twin, trainings: list[tuple[str, int]], parallel: int) -> list[Share]:
    """`parallel` trainings for a worker at a time."""
    return [Share(twin, tuple(trainings[i : i + parallel])) for i in range(0, len(trainings), parallel)]


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


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--depth", type=int, default=110)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--healthy", type=int, default=3, help="seeds of the twin")
    parser.add_argument("--limit", type=int, help="train on so many samples")
    parser.add_argument("--only", default="", help="faults whose name holds one of these texts, separated by |")
    parser.add_argument(
        "--budget", type=float, default=math.inf, help="seconds; what would not be ready by then is left out"
    )
    parser.add_argument("--parallel", type=int, default=1, help="trainings side by side on one device")
    parser.add_argument("--executor", default="local", help="local: processes of this machine, or ray: a cluster")
    parser.add_argument("--jobs", type=int, default=1, help="processes of the local executor")
    parser.add_argument("--address", help="of the Ray cluster; else one is started here")
    parser.add_argument("--device")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def main() -> None:
    """Train what is missing, write after each answer."""
    arguments = parsed()
    output = arguments.output or RESULTS / f"anatomy-resnet{arguments.depth}.json"
    started = time.perf_counter()
    data = arguments.data.resolve() if arguments.data else None
    twin = Twin(data, arguments.depth, arguments.epochs, arguments.limit, arguments.device)
    about = conditions(arguments, subject_of(twin))
    run = executor_of(ANATOMY, arguments.executor, arguments.jobs, arguments.address)
    rows = read_rows(output)
    done = {(r["fault"], r["seed"]) for r in rows}
    left = shares(twin, [t for t in plan(arguments) if t not in done], arguments.parallel)
    for number, answers in enumerate(run(left), 1):
        now = time.perf_counter() - started
        for row in answers:
            print(f"{now:6.1f} s  {row}", flush=True)
        rows += [row for row in answers if "error" not in row]
        write(output, rows, about)
        # Whoever stops listening ends what would not be ready in time.
        if now * (1 + arguments.jobs / number) > arguments.budget:
            break
    done = {(r["fault"], r["seed"]) for r in rows}
    print(f"{output}: {len(rows)} trainings, {sum(t not in done for t in plan(arguments))} left out")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from None
