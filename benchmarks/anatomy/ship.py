"""Put the measured costs into the package: results/anatomy-*.json to src/trainingdoctor/accuracy_cost.json.

python benchmarks/anatomy/ship.py
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NO_CODES = ("healthy", "combination")


def main() -> None:
    """One row for each fault with a code."""
    rows = []
    for file in sorted((ROOT / "benchmarks" / "results").glob("anatomy-*.json")):
        found = json.loads(file.read_text())
        c = found["conditions"]
        noise = next(line["std"] for line in found["costs"] if line["fault"] == "healthy")
        said = f"{c['model']}, {c['epochs']} epochs, CIFAR-10 re-encoded as JPEG"
        rows += [
            {
                "code": r["code"],
                "strength": r["strength"],
                "points": r["points"],
                "n": r["n"],
                "noise": noise,
                "conditions": said,
            }
            for r in found["costs"]
            if r["code"] not in NO_CODES
        ]
    (ROOT / "src" / "trainingdoctor" / "accuracy_cost.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} costs")


if __name__ == "__main__":
    main()
