"""How long the commands take, each in a fresh process: median of three (the full diagnosis: once), and the peak memory.

python benchmarks/speed.py [--output benchmarks/results/speed.json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "resnet110_cured.py"
COMMANDS = {
    "--help": (["--help"], 3),
    "import torch": (None, 3),
    "diagnose --quick": (["diagnose", str(EXAMPLE), "--quick"], 3),
    "diagnose": (["diagnose", str(EXAMPLE)], 1),
}


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


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "speed.json")
    arguments = parser.parse_args()
    rows = {}
    for name, (command, times) in COMMANDS.items():
        runs = [measure(command) for _ in range(times)]
        rows[name] = {
            "seconds": round(statistics.median(s for s, _ in runs), 2),
            "peak_gib": round(max(m for _, m in runs), 2),
        }
        print(f"{name:18} {rows[name]['seconds']:7.2f} s  {rows[name]['peak_gib']:.2f} GiB", flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(
        json.dumps({"cores": os.cpu_count(), "example": EXAMPLE.name, "commands": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
