"""Put the measured costs into the package: results/anatomy-*.json and fault-costs.json to src/trainingdoctor/accuracy_cost.json.

python benchmarks/anatomy/ship.py

The fault bench's short trainings stand in where the anatomy has no cost beyond noise for a code, with the mildest of their faults
that has one. What they show no cost of is left out: what gains only in a long training (augmentation) loses nothing in a short one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainingdoctor.costs import MeasuredCost

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NO_CODES = ("healthy", "combination")


def rows_of(found: dict[str, Any], key: str, points: str, said: str) -> list[dict[str, Any]]:
    """One row for each measured fault with a code, that ran. points: the name under which the file has what was lost."""
    noise = next(line["std"] for line in found[key] if line["fault"] == "healthy")
    return [
        {
            "code": line["code"],
            "strength": line.get("strength", line["fault"]),
            "points": line[points],
            "n": line["n"],
            "noise": noise,
            "conditions": f"{said}, CIFAR-10 re-encoded as JPEG",
        }
        for line in found[key]
        if line["code"] not in NO_CODES and not line.get("error")
    ]


def anatomies() -> list[dict[str, Any]]:
    """Each fault alone in the reference."""
    rows: list[dict[str, Any]] = []
    for file in sorted(RESULTS.glob("anatomy-*.json")):
        found = json.loads(file.read_text())
        c = found["conditions"]
        rows += rows_of(found, "costs", "points", f"{c['model']}, {c['epochs']} epochs")
    return rows


def short_trainings(known: set[str]) -> list[dict[str, Any]]:
    """The mildest fault of each other code that cost something beyond noise. known: codes that need none."""
    found = json.loads((RESULTS / "fault-costs.json").read_text())
    c = found["conditions"]
    said = f"ResNet-{c['depth']}, {c['epochs']} epochs of {c['samples']:,} images"
    rows = [r for r in rows_of(found, "faults", "points_lost", said) if is_cost(r) and r["code"] not in known]
    mildest = {r["code"]: r for r in sorted(rows, key=lambda r: r["points"], reverse=True)}
    return [mildest[code] for code in sorted(mildest)]


def is_cost(row: dict[str, Any]) -> bool:
    """Whether reports would tell it as one."""
    return not MeasuredCost(**row).is_noise


def main() -> None:
    """Write them."""
    rows = anatomies()
    rows += short_trainings({r["code"] for r in rows if is_cost(r)})
    (ROOT / "src" / "trainingdoctor" / "accuracy_cost.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} costs of {len({r['code'] for r in rows})} codes")


if __name__ == "__main__":
    main()
