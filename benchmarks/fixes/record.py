"""The rows on disk: JSON, and the table for people beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from score import score

Row = Mapping[str, Any]


def load(path: Path) -> dict[str, Any]:
    """Rows by name; none where there is no file."""
    return {row["name"]: row for row in json.loads(path.read_text())} if path.is_file() else {}


def save(path: Path, rows: Mapping[str, Any]) -> None:
    """JSON and Markdown."""
    ordered = sorted(rows.values(), key=lambda row: row["name"])
    path.write_text(json.dumps(ordered, indent=1))
    path.with_suffix(".md").write_text("\n".join(_page(ordered)) + "\n")


def _page(rows: list[Row]) -> list[str]:
    figures = [f"| {name.replace('_', ' ')} | {value} |" for name, value in score(rows).items()]
    lines = [f"| {r['name']} | {r['word']} | {', '.join(r.get('found', ())) or '-'} | {r['said']} |" for r in rows]
    return [
        "# Configs fixed by the tool alone",
        "",
        "Made by `python benchmarks/fixes`: a small residual net on CIFAR-10 (images re-encoded as JPEG) as a config in three styles, with one fault each",
        "or several; and the scripts of `benchmarks/scripts`. Each is given to the fixes of `trainingdoctor fix --write`, and looked at again.",
        "",
        "| figure | value |",
        "|---|---|",
        *figures,
        "",
        "fixed: nothing is found afterwards. LEFT: something stands that was there before. NEW: something stands that was not, or a second run changes",
        "something again.",
        "",
        "| config | outcome | found | left, and why |",
        "|---|---|---|---|",
        *lines,
    ]
