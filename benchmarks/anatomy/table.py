"""The table of costs: JSON with each training, and a page to read."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read_rows(file: Path) -> list[Row]:
    """The trainings of an earlier run."""
    return list(json.loads(file.read_text())["runs"]) if file.is_file() else []


def costs(rows: Sequence[Row]) -> list[Row]:
    """For each fault the points lost against the mean of the twin's seeds, the dearest first."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row["fault"], []).append(row)
    accuracies = {name: [float(r["accuracy"]) for r in found] for name, found in by_name.items()}
    twin = accuracies.get("healthy", [])
    lines = [
        {
            "fault": name,
            "code": by_name[name][0]["code"],
            "strength": by_name[name][0]["strength"],
            "accuracy": round(statistics.fmean(values), 2),
            "points": round(statistics.fmean(twin) - statistics.fmean(values), 2) if twin else None,
            "n": len(values),
            "std": round(statistics.stdev(values), 2) if len(values) > 1 else None,
        }
        for name, values in accuracies.items()
    ]
    return sorted(lines, key=lambda line: line["accuracy"])


def write(file: Path, rows: Sequence[Row], conditions: Row) -> None:
    """`file` as JSON, and a page beside it."""
    lines = costs(rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"conditions": conditions, "costs": lines, "runs": list(rows)}, indent=1) + "\n")
    c = conditions
    head = [
        f"# What each fault costs {c['model']}",
        "",
        f"Made by `{c['command']}`: {c['epochs']} epochs of the recipe `{c['recipe']}` (batches of {c['batch_size']}, peak rate {c['peak']:g}) on "
        f"{c['train_samples']:,} images ({c['data']}), {c['device']}, torch {c['torch']}, {c['precision']}. Points: percent of test "
        "accuracy in the last epoch, against the mean of the healthy twin's seeds. One seed of a fault tells one or two points from nothing at best: "
        "see the twin's deviation.",
        "",
        "| fault | strength | code | accuracy | points lost | n | std |",
        "|---|---|---|---|---|---|---|",
    ]
    cells = [
        f"| {r['fault']} | {r['strength']} | {r['code']} | {r['accuracy']} | {r['points']} | {r['n']} | {r['std'] if r['std'] is not None else ''} |"
        for r in lines
    ]
    file.with_suffix(".md").write_text("\n".join([*head, *cells]) + "\n")
