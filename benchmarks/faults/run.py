"""Examine the jobs of the plan in worker processes, and keep what was said of each."""

from __future__ import annotations

import json
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, set_start_method
from pathlib import Path
from typing import Any

from compared import ends, watched
from plan import Job, named

Row = dict[str, Any]
# A diagnosis that takes longer than this on a loaded machine is reported as it stands.
TIME_LIMIT = 240.0


def examine(name: str, quick: bool = False) -> Row:
    """Build one training of the plan and diagnose it. Called by name, because jobs hold functions."""
    job = named(name)
    started = time.perf_counter()
    try:
        return _examined(job, quick, started)
    except Exception:  # noqa: BLE001 - a training that cannot be examined is a row of the table, too
        return {
            **_about(job),
            "error": traceback.format_exc(limit=4),
            "seconds": round(time.perf_counter() - started, 1),
        }


def _examined(job: Job, quick: bool, started: float) -> Row:
    from trainingdoctor import diagnose
    from trainingdoctor.finding import Severity
    from trainingdoctor.settings import Settings

    training = job.parts.build()
    built = time.perf_counter() - started
    thresholds, values = watched()
    report = diagnose(training, settings=Settings(quick=quick, time_limit=TIME_LIMIT, thresholds=thresholds))
    standing = [f for f in report.findings if f.severity is not Severity.INFO]
    return {
        **_about(job),
        "roots": list(report.root_causes),
        "standing": {f.code: f.message for f in standing},
        "explained": {f.code: list(f.explains) for f in standing if f.explains},
        "infos": sorted({f.code for f in report.findings if f.severity is Severity.INFO}),
        "compared": ends(values),
        "crashed": {r.code: r.reason for r in report.results if r.outcome == "crashed"},
        "timed_out": [r.code for r in report.results if r.skipped_for == "time"],
        "build": round(built, 1),
        "seconds": round(report.seconds, 1),
    }


def _about(job: Job) -> Row:
    return {
        "name": job.name,
        "base": job.base.name,
        "faults": [f.name for f in job.faults],
        "right": [list(f.right) for f in job.faults],
        "consequences": [c for f in job.faults for c in f.consequences],
        "strength": [f.strength for f in job.faults],
        "corpus": [f.corpus for f in job.faults if f.corpus],
    }


def version() -> str:
    """The commit that is examined, with a + when the tree differs from it."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (
        "+" if git("status", "--porcelain", "../../src", "../../checks") else ""
    )


def run(
    names: Iterable[str], workers: int, quick: bool, kept: dict[str, Row], save: Callable[[dict[str, Row]], None]
) -> None:
    """Examine what `kept` does not hold yet, one thread a worker; `save` is called after each."""
    todo = [n for n in names if n not in kept]
    commit = version()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures = [pool.submit(examine, name, quick) for name in todo]
        for i, future in enumerate(as_completed(futures)):
            row = future.result() | {"commit": commit}
            kept[row["name"]] = row
            print(f"{i + 1}/{len(todo)}  {line(row)}", flush=True)
            save(kept)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    # What the loaders of the trainings start, as scripts on Linux do; a spawned process would spawn in its turn.
    set_start_method("fork", force=True)


def line(row: Row) -> str:
    """One row for people."""
    from score import judged

    verdict = judged(row)
    said = ", ".join(row.get("roots", [])) or ("ERROR" if "error" in row else "-")
    extra = f"  UNEXPECTED {', '.join(verdict.unexpected)}" if verdict.unexpected else ""
    return f"{verdict.word:9} {row['seconds']:6.1f} s  {row['name']:60} {said}{extra}"


def load(path: Path) -> dict[str, Row]:
    """Rows of an earlier run, by name."""
    return {r["name"]: r for r in json.loads(path.read_text())["runs"]} if path.is_file() else {}
