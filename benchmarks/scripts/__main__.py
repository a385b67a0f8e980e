"""Sick and healthy training scripts in five styles, each diagnosed unchanged by the command line, and scored.

python benchmarks/scripts [--only TEXT] [--output FILE] [--list]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from faults import FAULTS, HEALTHY, Variant
from templates import written

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "benchmarks" / "results" / "scripts.json"


def plan() -> Iterator[tuple[str, str, Variant]]:
    """Name, style, variant."""
    for variant in (*HEALTHY, *FAULTS):
        for style in variant.styles:
            yield f"{style}: {variant.name}", style, variant


def examined(name: str, style: str, variant: Variant) -> dict[str, Any]:
    """Write the script, diagnose it, and take down what was said."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        script.write_text(written(style, variant.lines))
        before = sorted(p.name for p in Path(folder).iterdir())
        started = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, "-m", "trainingdoctor", "diagnose", "train.py", "--format", "json"],
            cwd=folder,
            env={**os.environ, "EXAMPLES": str(ROOT / "examples")},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        row: dict[str, Any] = {"name": name, "right": list(variant.codes), "seconds": round(seconds, 1)}
        row["left_behind"] = [p.name for p in Path(folder).iterdir() if p.name not in before]
    try:
        report = json.loads(ran.stdout)
    except ValueError:
        return {**row, "error": ran.stderr[-500:], "word": "ERROR"}
    standing = {f["code"]: f["message"] for f in report["findings"] if f["severity"] != "info"}
    row |= {"roots": report["root_causes"], "standing": standing}
    row["crashed"] = [c["code"] for c in report["checks"] if c["outcome"] == "crashed"]
    return {**row, "word": _word(row, variant)}


def _word(row: dict[str, Any], variant: Variant) -> str:
    if not variant.codes:
        return "ok" if not row["standing"] else "ALARM"
    if not set(variant.codes) & set(row["standing"]):
        return "MISSED"
    allowed = (*variant.codes, *variant.consequences)
    if any(not any(fnmatch(c, p) for p in allowed) for c in row["roots"]):
        return "AND MORE"
    return "ok" if row["roots"][0] in variant.codes else "not first"


def main() -> None:
    """Run what is not in the output yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="scripts whose name holds one of these texts, separated by |")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    chosen = [job for job in plan() if any(t in job[0] for t in arguments.only.split("|"))]
    if arguments.list:
        print(*(name for name, _, _ in chosen), f"{len(chosen)} scripts", sep="\n")
        return
    rows = json.loads(arguments.output.read_text())["runs"] if arguments.output.is_file() else []
    kept = {r["name"]: r for r in rows}
    for name, style, variant in chosen:
        if name in kept and not arguments.only:
            continue
        kept[name] = row = examined(name, style, variant)
        print(
            f"{row['word']:9} {row['seconds']:6.1f} s  {name:50} {', '.join(row.get('roots', [row.get('error', '')]))}",
            flush=True,
        )
        write(list(kept.values()), arguments.output)


def write(rows: list[dict[str, Any]], output: Path) -> None:
    """JSON, and a Markdown table beside it."""
    sick = [r for r in rows if r["right"]]
    figures = {
        "sick": len(sick),
        "found": sum(r["word"] in ("ok", "not first", "AND MORE") for r in sick),
        "root cause first": sum(bool(r.get("roots")) and r["roots"][0] in r["right"] for r in sick),
        "healthy": len(rows) - len(sick),
        "healthy with a warning": sum(r["word"] != "ok" for r in rows if not r["right"]),
        "files left behind": sum(len(r["left_behind"]) for r in rows),
        "seconds, median": sorted(r["seconds"] for r in rows)[len(rows) // 2],
    }
    output.write_text(json.dumps({"score": figures, "runs": rows}, indent=1) + "\n")
    lines = [
        "# Training scripts, diagnosed unchanged",
        "",
        "Made by `python benchmarks/scripts`.",
        "",
        "| figure | value |",
        "|---|---|",
    ]
    lines += [f"| {k} | {v} |" for k, v in figures.items()]
    lines += ["", "| script | verdict | said | seconds |", "|---|---|---|---|"]
    lines += [f"| {r['name']} | {r['word']} | {', '.join(r.get('roots', ['-']))} | {r['seconds']} |" for r in rows]
    output.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
