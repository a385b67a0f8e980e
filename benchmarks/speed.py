"""How long the commands take, each in a fresh process: median of three (the full diagnosis: once), and the peak memory.

python benchmarks/speed.py [--output benchmarks/results/speed.json] [--only HTML]: the other rows stay as they are. The row of the page is the time
between the last check of a full diagnosis and the written HTML file: what only pictures show is measured, all are drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.render.html import render_html
from trainingdoctor.runner import Diagnosis, diagnose
from trainingdoctor.settings import Settings

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "resnet110_cured.py"
COMMANDS = {
    "--help": (["--help"], 3),
    "import torch": (None, 3),
    "diagnose --quick": (["diagnose", str(EXAMPLE), "--quick"], 3),
    "diagnose": (["diagnose", str(EXAMPLE)], 1),
}

PAGE = "HTML after the diagnosis"


def measure(arguments: list[str] | None) -> tuple[float, float]:
    """Wall seconds and peak resident GiB of one process."""
    command = (
        [sys.executable, "-c", "import torch"]
        if arguments is None
        else [sys.executable, "-m", "trainingdoctor", *arguments]
    )
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - started, usage.ru_maxrss / (1 << 20)


def page() -> float:
    """Seconds from the last check of a full diagnosis to the written page."""
    done: list[Diagnosis] = []
    with in_folder_of(EXAMPLE), tempfile.TemporaryDirectory() as folder:
        diagnose(load_config(EXAMPLE, 600.0), watch=done.append)
        done[0].settings = Settings(pictures=True)
        started = time.perf_counter()
        done[0].look()
        report = done[0].report(finished=True)
        (Path(folder) / "report.html").write_text(render_html(report, report.pictures))
        seconds = time.perf_counter() - started
    print(f"{len(report.pictures)} pictures and tables")
    return seconds


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Rows whose name holds this.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "speed.json")
    arguments = parser.parse_args()
    rows = json.loads(arguments.output.read_text())["commands"] if arguments.only and arguments.output.exists() else {}
    for name, (command, times) in COMMANDS.items():
        if arguments.only not in name:
            continue
        runs = [measure(command) for _ in range(times)]
        rows[name] = {
            "seconds": round(statistics.median(s for s, _ in runs), 2),
            "peak_gib": round(max(m for _, m in runs), 2),
        }
        print(f"{name:18} {rows[name]['seconds']:7.2f} s  {rows[name]['peak_gib']:.2f} GiB", flush=True)
    if arguments.only in PAGE:
        rows[PAGE] = {"seconds": round(page(), 2)}
        print(f"{PAGE:18} {rows[PAGE]['seconds']:7.2f} s", flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(
        json.dumps({"cores": os.cpu_count(), "example": EXAMPLE.name, "commands": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
