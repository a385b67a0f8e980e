"""Put what the thresholds are compared with into the package: results/faults.json to src/trainingdoctor/threshold_values.json.

python benchmarks/faults/ship.py
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from compared import distribution
from run import load

ROOT = Path(__file__).resolve().parents[2]


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = {"least": min(values), "median": statistics.median(values), "most": max(values)}
    return {**{name: float(f"{value:.4g}") for name, value in found.items()}, "n": len(values)}


def main() -> None:
    """One row for each threshold that was measured."""
    rows = []
    for name, _, healthy, sick in distribution(load(ROOT / "benchmarks" / "results" / "faults.json").values()):
        code, _, threshold = name.rpartition(".")
        rows.append({"code": code, "threshold": threshold, "healthy": _spread(healthy), "sick": _spread(sick)})
    (ROOT / "src" / "trainingdoctor" / "threshold_values.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} thresholds")


if __name__ == "__main__":
    main()
