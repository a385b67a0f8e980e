"""What the fixes gain: short trainings of the healthy, the sick and the fixed configs on a part of CIFAR-10.

python benchmarks/fixes/verify.py [--rows results/fixes.json] [--style plain] [--only TEXT|TEXT] [--jobs 2] [--output FILE]

The healthy config has five seeds, the fixed ones three, the sick ones one. Recovered: the mean of the fixed one is not below the
healthy one's 95 % interval. Resumable.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from record import load
from run import EXAMPLES, fault_named
from run import written as written_config

from trainingdoctor.verify.judge import interval
from trainingdoctor.verify.task import Size, Task, run_task

RESULTS = Path(__file__).resolve().parent.parent / "results"
SIZE = Size(samples=2_000, epochs=5, evaluation=2_000, longest=60)
SEEDS = {"healthy": range(5), "sick": range(1), "fixed": range(3)}


def trained(name: str, style: str, state: str, difference: str, seed: int) -> dict[str, Any]:
    """One training of one state of a config."""
    import torch

    torch.set_num_threads(1)
    os.environ.setdefault("CIFAR10_DIR", str(EXAMPLES / ".data"))
    with tempfile.TemporaryDirectory() as folder:
        config = written_config(Path(folder), style, fault_named(name, style))
        if difference:
            subprocess.run(["git", "apply", "-"], input=difference.encode(), cwd=folder, check=True)
        outcome = run_task(Task(state, config, seed, SIZE))
    return {**asdict(outcome), "name": name, "state": state, "seed": seed}


def plan(rows: Mapping[str, Any], style: str, only: str) -> Iterator[tuple[str, str, str, str, int]]:
    """The healthy one first; then the configs that were fixed, the first seed of all before the second of any."""
    yield from (("healthy", style, "healthy", "", seed) for seed in SEEDS["healthy"])
    fixed = [
        r
        for r in rows.values()
        if r["style"] == style and r.get("diff") and any(t in r["fault"] for t in only.split("|"))
    ]
    for seed in SEEDS["fixed"]:
        for row in fixed:
            yield row["fault"], style, "fixed", row["diff"], seed
            if seed in SEEDS["sick"]:
                yield row["fault"], style, "sick", "", seed


def table(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracies by config, and how many of the fixed ones recovered."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in done:
        value = float("nan") if row["accuracy"] is None else row["accuracy"]
        found.setdefault(row["name"], {}).setdefault(row["state"], []).append(value)
    healthy = found.pop("healthy", {}).get("healthy", [])
    low, high = interval(healthy) or (float("nan"), float("nan"))
    mean = {n: {s: sum(v) / len(v) for s, v in states.items()} for n, states in found.items()}
    complete = [n for n, states in found.items() if len(states.get("fixed", ())) == len(SEEDS["fixed"])]
    recovered = [n for n in complete if mean[n]["fixed"] >= low]
    return {
        "healthy": {"mean": sum(healthy) / max(len(healthy), 1), "low": low, "high": high, "seeds": len(healthy)},
        "configs": {
            n: {"sick": mean[n].get("sick"), "fixed": mean[n]["fixed"], "recovered": n in recovered} for n in complete
        },
        "fixed": len(complete),
        "recovered": len(recovered),
        "share": round(len(recovered) / max(len(complete), 1), 3),
    }


def page(found: Mapping[str, Any]) -> str:
    """The table for people."""
    healthy = found["healthy"]
    lines = [
        f"| {n} | {_percent(c['sick'])} | {c['fixed']:.1f} | {'yes' if c['recovered'] else '**no**'} |"
        for n, c in sorted(found["configs"].items(), key=lambda item: item[1]["fixed"])
    ]
    return "\n".join(
        [
            "# What the fixes gain",
            "",
            f"Made by `python benchmarks/fixes/verify.py`: {SIZE.epochs} epochs of {SIZE.samples:,} images of CIFAR-10 (re-encoded as JPEG), the whole schedule",
            f"pressed into them, accuracy on {SIZE.evaluation:,} test images after the last epoch; one CPU thread. The healthy config reaches",
            f"{healthy['mean']:.1f} % ({healthy['low']:.1f} to {healthy['high']:.1f}, 95 % interval of {healthy['seeds']} seeds). Sick: one seed; fixed: the mean of three. Recovered: not below",
            "the healthy interval. A fault that needs longer than this to cost anything recovers by having lost nothing.",
            "",
            f"{found['recovered']} of {found['fixed']} fixed configs recover ({found['share']:.0%}).",
            "",
            "| fault | sick | fixed | recovered |",
            "|---|---|---|---|",
            *lines,
            "",
        ]
    )


def _percent(value: float | None) -> str:
    return "does not train" if value is None or math.isnan(value) else f"{value:.1f}"


def main() -> None:
    """Run what is not in the output yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, default=RESULTS / "fixes.json", help="what benchmarks/fixes made")
    parser.add_argument("--style", default="plain")
    parser.add_argument("--only", default="", help="faults whose name holds one of these texts, separated by |")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=RESULTS / "fixes-verified.json")
    arguments = parser.parse_args()
    kept = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {"outcomes": []}
    done: list[dict[str, Any]] = kept["outcomes"]
    known = {(r["name"], r["state"], r["seed"]) for r in done}
    jobs = [j for j in plan(load(arguments.rows), arguments.style, arguments.only) if (j[0], j[2], j[4]) not in known]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for number, future in enumerate(as_completed([pool.submit(trained, *job) for job in jobs]), 1):
            row = future.result()
            done.append(row)
            said = row["error"] if row["accuracy"] is None else f"{row['accuracy']:.2f} %"
            print(
                f"{number}/{len(jobs)}  {row['state']:8} {row['seed']}  {row['seconds']:5.1f} s  {row['name']:45} {said}",
                flush=True,
            )
            found = table(done)
            arguments.output.write_text(json.dumps({**found, "outcomes": done}, indent=1))
            arguments.output.with_suffix(".md").write_text(page(found))
    print(f"{found['recovered']} of {found['fixed']} recovered")


if __name__ == "__main__":
    main()
