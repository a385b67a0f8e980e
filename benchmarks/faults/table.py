"""The score as JSON and as a Markdown table."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import compared
from plan import jobs
from score import by_code, judged, score

Row = dict[str, Any]
COSTS = Path(__file__).resolve().parent.parent / "results" / "fault-costs.json"


def conditions() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch
    from images import source

    return {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads_per_training": 1,
        "data": source(),
        "python": platform.python_version(),
    }


def write(rows: Sequence[Row], output: Path, command: str) -> None:
    """JSON with every row, and Markdown beside it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"command": command, "conditions": conditions(), "score": score(rows), "runs": list(rows)}
    scratch = output.with_suffix(".part")
    scratch.write_text(json.dumps(content, indent=1) + "\n")
    scratch.replace(output)
    output.with_suffix(".md").write_text(markdown(rows, command))


def markdown(rows: Sequence[Row], command: str) -> str:
    """Score, the table by code, every training."""
    about, figures, points = conditions(), score(rows), costs()
    lines = [
        "# The fault bench",
        "",
        f"Made by `{command}`: {about['data']}; CPU, one thread a training, torch {about['torch']}.",
        "",
        f"{len(rows)} of the {len(jobs())} trainings of the plan are in this table; the rest is still to be run. Rows name the commit that was "
        "examined in the JSON."
        if len(rows) < len(jobs()) and "--base" not in command
        else f"{len(rows)} trainings.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in figures.items()),
        "",
        "Detected: a warning or critical with the fault's code. Precision: warnings and criticals that are the fault, a declared "
        "consequence, or explained by the right finding, among all. Seconds: of one diagnosis on one core.",
        "",
        "| code | injected | detected | root cause first | missed |",
        "|---|---|---|---|---|",
        *(f"| {c} | {n} | {hit} | {first} | {'; '.join(missed)} |" for c, n, hit, first, missed in by_code(rows)),
        "",
        "Points: percent of test accuracy that each fault costs a small ResNet in a short training, against its healthy twin "
        "([fault-costs.md](fault-costs.md)); empty where it does not fit that net. Augmentation and weight decay gain nothing in so short a one.",
        "",
        "| training | fault | result | root causes said | besides | points | seconds |",
        "|---|---|---|---|---|---|---|",
        *(_line(row, points) for row in rows),
        "",
        "What each threshold is compared with, on the healthy trainings and on those that hold its code's fault:",
        "",
        *compared.lines(rows),
    ]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def costs() -> dict[str, str]:
    """Points lost by fault, as `cost.py` measured them."""
    if not COSTS.is_file():
        return {}
    return {r["fault"]: f"{r['points_lost']:.1f}" for r in json.loads(COSTS.read_text())["faults"]}


def _line(row: Row, points: Mapping[str, str]) -> str:
    verdict = judged(row)
    cost = " + ".join(points.get(fault, "?") for fault in row["faults"]) if set(row["faults"]) & set(points) else ""
    codes = " + ".join(codes[0] for codes in row["right"]) or "healthy"
    return (
        f"| {row['name']} | {codes} | {verdict.word} | {', '.join(row.get('roots', [])) or '-'} "
        f"| {', '.join(verdict.unexpected)} | {cost} | {row['seconds']} |"
    )
