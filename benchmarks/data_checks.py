"""The data checks alone, over faults of the data and over healthy pipelines: found, first, false alarms, seconds.

python benchmarks/data_checks.py [--only TEXT] [--output benchmarks/results/data-checks.json]

Writes JSON and a Markdown table with the measured quantities, from which the thresholds were taken.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_cases import FAULTS, PIPELINES

from trainingdoctor import Training
from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.finding import Severity
from trainingdoctor.registry import load_registry
from trainingdoctor.report import Report
from trainingdoctor.runner import Diagnosis
from trainingdoctor.settings import Settings

CODES = (
    "augmentation.too_strong",
    "augmentation.order",
    "data.leakage",
    "data.duplicates",
    "data.noise",
    "data.channel_order",
    "data.order_on_evaluation",
    "labels.shuffled",
    "labels.noise",
    "labels.train_eval_mismatch",
    "labels.conflicting",
)
EVIDENCE = (
    "plain_train",
    "plain_eval",
    "probe_features",
    "train_keys",
    "label_relation",
    "augmentation_strength",
    "pixel_noise",
    "channel_order",
    "leakage",
    "repeats",
    "transform_steps",
)


def measured(diagnosis: Diagnosis) -> tuple[dict[str, Any], dict[str, float]]:
    """The quantities that the thresholds are about, and each evidence's seconds."""
    values, seconds = {}, {}
    # Drawn batches are shared with other checks and timed with them.
    for name in ("train_batches", "val_batches", *EVIDENCE):
        started = time.process_time()
        try:
            values[name] = diagnosis.value(name)
        except (Unavailable, UserCodeError):
            values[name] = None
        seconds[name] = round(time.process_time() - started, 2)
    numbers: dict[str, Any] = {}
    if (relation := values["label_relation"]) is not None:
        numbers |= {"z train": relation.train.z, "z evaluation": relation.evaluation.z, "z between": relation.between.z}
        numbers["share wrong"] = 1 - relation.train.skill / relation.between.skill
    if (strength := values["augmentation_strength"]) is not None and strength.plain.z > 10:
        numbers["kept"] = strength.kept
    if (noise := values["pixel_noise"]) is not None and noise.evaluation >= 0.5:
        numbers["adjacent"] = noise.ratio
    if (order := values["channel_order"]) is not None and order.contrasts:
        numbers["swapped"] = order.contrasts[0].ratio
    return {name: round(value, 2) for name, value in numbers.items()}, seconds


def examined(name: str, expected: str | None, build: Callable[[], Training]) -> dict[str, Any]:
    """Diagnose one training by the data checks."""
    registry, started = load_registry(), time.perf_counter()
    diagnosis = Diagnosis(build(), registry, Settings(select=CODES), 0, started)
    numbers, each = measured(diagnosis)
    report = Report(name, tuple(diagnosis.run(lambda *_: None)), {}, {}, time.perf_counter() - started)
    standing = [f.code for f in report.at_or_above(Severity.WARNING)]
    roots = list(report.root_causes)
    return {
        "name": name,
        "expected": expected,
        "found": expected in standing if expected else not standing,
        "root_first": roots[:1] == [expected] if expected else not roots,
        "standing": standing,
        "infos": [f.code for f in report.findings if f.severity is Severity.INFO],
        "crashed": [r.reason for r in report.results if r.outcome == "crashed"],
        "skipped": {r.code: r.reason for r in report.results if r.code in CODES and r.outcome == "skipped"},
        "seconds": round(sum(each.values()), 1),
        "numbers": numbers,
        "evidence_seconds": each,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    sick, healthy = [r for r in rows if r["expected"]], [r for r in rows if not r["expected"]]
    columns = list(dict.fromkeys(key for r in rows for key in r["numbers"]))
    lines = [
        "# The data checks on CIFAR-10",
        "",
        "Made by `python benchmarks/data_checks.py`: CIFAR-10 with images re-encoded as JPEG, one core. z: standard errors above guessing of a",
        "small classifier; share wrong: its estimate of wrong labels; kept: the part of its skill that augmentation leaves; adjacent: correlation",
        "of adjacent pixels, training over evaluation; swapped: difference of red and blue, training over evaluation.",
        "",
        f"{sum(r['found'] for r in sick)} of {len(sick)} faults found, {sum(r['root_first'] for r in sick)} with the right root cause first; "
        f"{sum(not r['found'] for r in healthy)} false alarms on {len(healthy)} healthy pipelines; {sum(bool(r['crashed']) for r in rows)} crashes.",
        "",
        f"| training | expected | warned | {' | '.join(columns)} | seconds |",
        f"|---|---|---|{'---|' * len(columns)}---|",
    ]
    for r in rows:
        numbers = " | ".join(str(r["numbers"].get(c, "")) for c in columns)
        lines.append(
            f"| {r['name']} | {r['expected'] or 'healthy'} | {', '.join(r['standing']) or '-'} | {numbers} | {r['seconds']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "data-checks.json")
    arguments = parser.parse_args()
    plan = [(n, None, b) for n, b in PIPELINES.items()] + [(n, e, b) for n, (e, b) in FAULTS.items()]
    rows = []
    for name, expected, build in plan:
        if arguments.only not in name:
            continue
        row = examined(name, expected, build)
        rows.append(row)
        mark = "ok  " if row["found"] and row["root_first"] and not row["crashed"] else "MISS"
        print(
            f"{mark} {row['seconds']:5.1f} s {name:40} {expected or '(healthy)':28} {row['standing']} {row['infos']} {row['numbers']}",
            flush=True,
        )
        print(f"     {row['crashed'] or ''} {row['skipped'] or ''} {row['evidence_seconds']}", flush=True)
    if not arguments.only:
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
        arguments.output.with_suffix(".md").write_text(table(rows))


if __name__ == "__main__":
    main()
