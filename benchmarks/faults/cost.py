"""What each fault costs: the accuracy of short trainings with the fault, against their healthy twins.

python benchmarks/faults/cost.py [--seeds 2] [--only TEXT|TEXT] [--jobs 2] [--output FILE]

A ResNet of 8 layers (the CIFAR ResNet of He et al. with one block a stage) on the first 2,000 images of CIFAR-10, 8 epochs of
the whole schedule, tested on 1,000 images. Small and short: it ranks, and shows which faults have no effect at that size.
The healthy twin is trained by TWINS seeds: their spread is what a fault's points are compared with. Faults that stop the
training count as chance. Resumable.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import images
import torch
from bases import cosine, resnet
from fault import Fault
from parts import Parts
from plan import FAULTS
from table import conditions

from trainingdoctor.errors import Unavailable, UserCodeError, UserError
from trainingdoctor.reference.own import OwnRun, sentences
from trainingdoctor.reference.run import deterministic

OUTPUT = Path(__file__).resolve().parent.parent / "results" / "fault-costs.json"
DEPTH, SAMPLES, TEST, EPOCHS, BATCH, CHANCE = 8, 2_000, 1_000, 8, 32, 10.0
TWINS = 6


def twin() -> Parts:
    """The healthy training: batches of 32 at a quarter of the rate, so that 8 epochs are 500 steps."""
    parts = resnet(DEPTH, scheduler=cosine, epochs=EPOCHS)
    return parts.but(name="resnet20", data={"batch_size": BATCH}, group={"lr": 0.05}, tags=parts.tags)


def train(name: str, seed: int) -> dict[str, Any] | None:
    """Test accuracy of one training in percent; chance, with the error, where it does not run. None where the fault needs a deeper net."""
    images.LIMIT.update(train=SAMPLES, test=TEST)
    torch.set_num_threads(1)
    # Faults that shrink activations end in denormal numbers, which a CPU multiplies a hundred times slower.
    torch.set_flush_denormal(True)
    fault = next((f for f in FAULTS if f.name == name), None)
    parts = fault.spoil(twin()) if fault else twin()
    row = {"fault": name, "code": fault.code if fault else "healthy", "seed": seed}
    try:
        training = parts.build(seed)
        with sentences(name), deterministic():
            *_, last = OwnRun(training, None, None, seed, only_last=True).epochs(lambda *_: None)
    except LookupError:
        return None
    except (Unavailable, UserCodeError, UserError, RuntimeError, ValueError) as error:
        return {**row, "accuracy": CHANCE, "error": str(error).splitlines()[0]}
    return {**row, "accuracy": last.test_accuracy, "loss": last.loss if math.isfinite(last.loss) else str(last.loss)}


def applicable() -> list[Fault]:
    """Faults that make sense on this twin, and that change what is trained or tested. The twin has one rate for all groups."""
    left_out = ("epochs.too_few", "data.subset", "lr.group_too_low")
    return [f for f in FAULTS if f.fits(twin()) and f.code not in left_out]


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per fault: mean accuracy, points lost against the healthy mean, and the spread over seeds."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["fault"], []).append(row)
    healthy = {r["seed"]: _numbers(r) for r in by_name["healthy"]}
    twins = [r["accuracy"] for r in by_name["healthy"]]
    base, spread = statistics.mean(twins), statistics.stdev(twins) if len(twins) > 1 else math.nan
    return [
        {
            "fault": name,
            "code": found[0]["code"],
            "accuracy": round(statistics.mean(r["accuracy"] for r in found), 2),
            "points_lost": round(base - statistics.mean(r["accuracy"] for r in found), 2),
            "std": round(statistics.stdev(r["accuracy"] for r in found), 2) if len(found) > 1 else None,
            "n": len(found),
            # Twice the standard error of a difference of two means.
            "noise": round(2 * spread * math.sqrt(1 / len(found) + 1 / len(twins)), 2),
            "error": next((r["error"] for r in found if "error" in r), None),
            "same": any(_numbers(r) == healthy.get(r["seed"]) for r in found),
        }
        for name, found in sorted(by_name.items(), key=lambda item: statistics.mean(r["accuracy"] for r in item[1]))
    ]


def _numbers(row: dict[str, Any]) -> tuple[Any, Any]:
    return row["accuracy"], row.get("loss")


def write(rows: Sequence[dict[str, Any]], output: Path) -> None:
    """JSON with every run, and a table."""
    output.parent.mkdir(parents=True, exist_ok=True)
    about = {**conditions(), "depth": DEPTH, "samples": SAMPLES, "test": TEST, "epochs": EPOCHS, "batch": BATCH}
    lines = summary(rows)
    output.write_text(json.dumps({"conditions": about, "faults": lines, "runs": list(rows)}, indent=1) + "\n")
    head = [
        "# What each fault costs a small ResNet",
        "",
        f"Made by `python benchmarks/faults/cost.py`: ResNet-{DEPTH}, {SAMPLES:,} images ({about['data']}), {EPOCHS} epochs in batches of "
        f"{BATCH}, tested on {TEST:,}. Points are percent of test accuracy against the healthy twin. A test set that is spoilt, too, "
        "shows what the user reads, which may be more than the net can do. Noise: twice the standard error of the difference, from the spread "
        "of the twin's seeds. A fault within it has no effect that so short a training shows; augmentation gains nothing in one, and "
        "[anatomy](anatomy-resnet20.md) has longer ones.",
        "",
        "| fault | code | accuracy | points lost | noise | n | |",
        "|---|---|---|---|---|---|---|",
    ]
    cells = [
        f"| {r['fault']} | {r['code']} | {r['accuracy']} | {r['points_lost']} | {r['noise']} | {r['n']} | {_remark(r)} |"
        for r in lines
    ]
    output.with_suffix(".md").write_text("\n".join([*head, *cells]) + "\n")


def _remark(row: dict[str, Any]) -> str:
    if row["error"]:
        return "does not run"
    if row["same"] and row["fault"] != "healthy":
        return "the same numbers as the twin: without effect here"
    return "" if row["fault"] == "healthy" or abs(row["points_lost"]) > row["noise"] else "within the noise"


def main() -> None:
    """Parse, train what is missing, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name holds one of these texts, separated by |")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    rows = json.loads(arguments.output.read_text())["runs"] if arguments.output.is_file() else []
    done = {(r["fault"], r["seed"]) for r in rows}
    names = ["healthy", *(f.name for f in applicable() if any(t in f.name for t in arguments.only.split("|")))]
    jobs = [*(("healthy", s) for s in range(TWINS)), *((n, s) for s in range(arguments.seeds) for n in names)]
    todo = [job for job in dict.fromkeys(jobs) if job not in done]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(train, *job) for job in todo]
        for i, future in enumerate(as_completed(futures)):
            row = future.result()
            rows += [row] if row is not None else []
            print(f"{i + 1}/{len(todo)}  {row}", flush=True)
            if any(r["fault"] == "healthy" for r in rows):
                write(rows, arguments.output)


if __name__ == "__main__":
    main()
