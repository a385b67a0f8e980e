"""Inject each fault alone into the cured ResNet, diagnose, and score.

python benchmarks/faults.py [--only TEXT] [--depth 110] [--output benchmarks/results/faults.json]

Prints one line per training (fault, found, root cause, seconds) and writes JSON and a Markdown table. Resumable: what
the output file already holds for the same depth is not run again (--again runs it all).
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from cases import FAULTS, HEALTHY, Case

from trainingdoctor import diagnose
from trainingdoctor.finding import Severity


def examined(name: str, expected: str | None, changes: dict[str, Any], depth: int) -> dict[str, Any]:
    """Build one training and diagnose it."""
    started = time.perf_counter()
    report = diagnose(replace(Case(depth=depth), **changes).build())
    standing = [f.code for f in report.at_or_above(Severity.WARNING)]
    roots = list(report.root_causes)
    return {
        "name": name,
        "expected": expected,
        "found": expected in standing if expected else not standing,
        "root_first": roots[:1] == [expected] if expected else not roots,
        "root_causes": roots,
        "symptoms": [c for c in dict.fromkeys(standing) if c not in roots],
        "crashed": [r.code for r in report.results if r.outcome == "crashed"],
        "seconds": round(time.perf_counter() - started, 1),
    }


def run(only: str, depth: int, output: Path, again: bool) -> list[dict[str, Any]]:
    """All cases whose name holds `only`."""
    kept = json.loads(output.read_text()) if output.is_file() and not again else {"runs": []}
    done = {r["name"]: r for r in kept["runs"] if kept.get("depth") == depth}
    plan = [(n, None, c) for n, c in HEALTHY.items()] + [(n, e, c) for n, (e, c) in FAULTS.items()]
    rows = []
    for name, expected, changes in plan:
        if only not in name:
            continue
        row = done.get(name) or examined(name, expected, changes, depth)
        rows.append(row)
        mark = "ok  " if row["found"] and row["root_first"] else "MISS"
        print(
            f"{mark} {row['seconds']:6.1f} s  {name:32} {expected or '(healthy)':34} {row['root_causes']} {row['symptoms']}",
            flush=True,
        )
        if not only:
            write(rows, depth, output)
    return rows


def score(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Detection, root cause first, false alarms, seconds."""
    sick, healthy = [r for r in rows if r["expected"]], [r for r in rows if not r["expected"]]
    seconds = sorted(r["seconds"] for r in rows)
    return {
        "sick": len(sick),
        "detected": sum(r["found"] for r in sick),
        "root_cause_first": sum(r["root_first"] for r in sick),
        "healthy": len(healthy),
        "false_alarms": sum(not r["found"] for r in healthy),
        "crashes": sum(bool(r["crashed"]) for r in rows),
        "median_seconds": seconds[len(seconds) // 2] if seconds else 0,
    }


def write(rows: list[dict[str, Any]], depth: int, output: Path) -> None:
    """JSON with the conditions, and the same as a Markdown table beside it."""
    conditions = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "data": "CIFAR-10, images re-encoded as JPEG (quality 75)",
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(
        json.dumps({"depth": depth, "conditions": conditions, "score": score(rows), "runs": rows}, indent=1) + "\n"
    )
    s = score(rows)
    lines = [
        f"# Faults injected alone into the cured ResNet-{depth}",
        "",
        "Made by `python benchmarks/faults.py`. CIFAR-10 with images re-encoded as JPEG; CPU, "
        f"{conditions['threads']} threads, torch {conditions['torch']}.",
        "",
        f"{s['detected']} of {s['sick']} faults found, {s['root_cause_first']} with the right root cause first; "
        f"{s['false_alarms']} false alarms on {s['healthy']} healthy variations; median {s['median_seconds']} s.",
        "",
        "| training | expected | found | root causes reported | seconds |",
        "|---|---|---|---|---|",
    ]
    for r in rows:
        found = "yes" if r["found"] and r["root_first"] else "not first" if r["found"] else "**no**"
        lines.append(
            f"| {r['name']} | {r['expected'] or 'healthy'} | {found} | {', '.join(r['root_causes']) or '-'} | {r['seconds']} |"
        )
    output.with_suffix(".md").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Parse, run, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--depth", type=int, default=110, help="depth of the ResNet: 110 or 20")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "faults.json")
    parser.add_argument("--again", action="store_true", help="run what the output already holds, too")
    arguments = parser.parse_args()
    print(score(run(arguments.only, arguments.depth, arguments.output, arguments.again)))


if __name__ == "__main__":
    main()
