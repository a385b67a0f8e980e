"""Public training scripts, unchanged, through `trainingdoctor diagnose SCRIPT`.

python benchmarks/public --clones DIR --data DIR [--accept DIR] [--only TEXT|TEXT] [--limit 300] [--output FILE]

clones: where the repositories are, one folder each under its name; those that are missing are cloned from GitHub. data: torchvision's
CIFAR-10; stand-ins for MNIST and CIFAR-100 are made from it beside a link to it (standins.py), so that their accuracies mean nothing and
their faults of the loop and recipe do. accept: put on PYTHONPATH, for a CIFAR-10 whose md5 sums torchvision does not know.
Resumable: rows in --output are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repositories import SCRIPTS, Script
from standins import make_cifar100, make_mnist

from trainingdoctor.reference import load_images

OUTPUT = Path(__file__).resolve().parent.parent / "results" / "public.json"
Row = dict[str, Any]


def data_folder(cifar10: Path, folder: Path) -> Path:
    """A folder with all that the scripts ask torchvision for."""
    if not (folder / "cifar-100-python" / "train").is_file():
        images = load_images(cifar10)
        make_mnist(images, folder)
        make_cifar100(images, folder)
        (folder / "cifar-10-batches-py").symlink_to(cifar10.resolve() / "cifar-10-batches-py")
    return folder


def clone(repository: str, clones: Path) -> Path:
    """The clone's folder."""
    folder = clones / repository.rpartition("/")[2]
    if not folder.is_dir():
        subprocess.run(["git", "clone", "--quiet", f"https://github.com/{repository}", str(folder)], check=True)
    return folder


def diagnose(script: Script, clones: Path, data: Path, accept: Path | None, limit: float) -> Row:
    """One script in a copy of its own: the report in short."""
    with tempfile.TemporaryDirectory() as folder:
        work, report = Path(folder) / "work", Path(folder) / "report.json"
        source = clone(script.repository, clones)
        shutil.copytree(source, work, ignore=shutil.ignore_patterns(".git"))
        file = work / script.path
        if script.without:
            lines = file.read_text().splitlines(keepends=True)
            file.write_text("".join(line for line in lines if script.without not in line))
        for place in script.data:
            target = file.parent / place
            if not target.exists():
                target.symlink_to(data)
        command = [sys.executable, "-m", "trainingdoctor", "diagnose", file.name, "--as", "script", "--format", "json"]
        command += ["--time-limit", f"{limit:g}", "--output", str(report), "--", *script.arguments]
        paths = [str(accept)] if accept else []
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}
        started = time.perf_counter()
        ran = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, text=True, check=False)
        seconds = round(time.perf_counter() - started, 1)
        found = json.loads(report.read_text()) if report.is_file() else None
    return judged(script, found, ran, seconds)


def judged(script: Script, found: Row | None, ran: subprocess.CompletedProcess[str], seconds: float) -> Row:
    """ok: the right root cause first, or silent where healthy. A script that cannot run here is no row of either kind."""
    row: Row = {"script": script.name, "truth": list(script.sick), "why": script.why, "seconds": seconds}
    if found is None:
        lines = ran.stderr.strip().splitlines()
        return {**row, "outcome": "not run", "said": lines[-1][:300] if lines else f"exit code {ran.returncode}"}
    roots = found["root_causes"]
    others = [code for code in roots if code not in (*script.sick, *script.tolerated)]
    raised = [f["message"] for f in found["findings"] if f["code"] == "training.raises"]
    if not script.sick:
        outcome = "silent" if not roots else "false alarm"
    else:
        outcome = (
            "found" if roots and roots[0] in script.sick else "not first" if set(script.sick) & set(roots) else "missed"
        )
    if raised:
        outcome = "raised"
    return {
        **row,
        "outcome": outcome,
        "roots": roots,
        "others": others,
        "messages": {f["code"]: f["message"] for f in found["findings"] if f["severity"] != "info"},
        "skipped_for_time": sum("time" in c["reason"][:5] for c in found["checks"] if c["outcome"] == "skipped"),
        "crashed": [c["code"] for c in found["checks"] if c["outcome"] == "crashed"],
    }


def write(rows: Sequence[Row], output: Path) -> None:
    """JSON, and a page."""
    output.write_text(json.dumps({"rows": list(rows)}, indent=1) + "\n")
    head = [
        "# Public training scripts, unchanged",
        "",
        "Made by `python benchmarks/public`, each script as its repository has it, on two CPU cores. CIFAR-10 is a copy re-encoded as JPEG; MNIST and "
        "CIFAR-100 are stand-ins made from it (`benchmarks/public/standins.py`). `found`: the right root cause first; `silent`: nothing said of a "
        "healthy one.",
        "",
        "| script | truth | outcome | root causes | s |",
        "|---|---|---|---|---|",
    ]
    cells = [
        f"| {r['script']} | {', '.join(r['truth']) or 'healthy'}: {r['why']} | {r['outcome']} | {', '.join(r.get('roots', ())) or r.get('said', '-')} | {r['seconds']} |"
        for r in rows
    ]
    output.with_suffix(".md").write_text("\n".join([*head, *cells]) + "\n")


def main() -> None:
    """Parse, run what is missing, write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--accept", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=float, default=300.0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    rows: list[Row] = json.loads(arguments.output.read_text())["rows"] if arguments.output.is_file() else []
    done = {r["script"] for r in rows}
    data = data_folder(arguments.data, arguments.clones / "data")
    accept = arguments.accept.resolve() if arguments.accept else None
    for script in SCRIPTS:
        if script.name not in done and any(text in script.name for text in arguments.only.split("|")):
            rows.append(diagnose(script, arguments.clones, data, accept, arguments.limit))
            print({k: v for k, v in rows[-1].items() if k != "why"}, flush=True)
            write(rows, arguments.output)


if __name__ == "__main__":
    main()
