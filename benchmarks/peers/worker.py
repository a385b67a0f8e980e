"""Runs one tool, in the environment of this interpreter: reads jobs (JSON lines) and answers each with one line.

The tool is imported once; every training is examined in a process of its own, forked from here, that is ended when
its processor time is up (a busy machine is no fault of a tool). What a tool prints goes to a file, and its end into the answer.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tools
from loop import record
from trainings import cases, keep_data

TAIL = 1500
# Wall seconds for each second of the limit, against a tool that waits for ever.
PATIENCE = 30


def child(job: dict[str, Any], answer: Path, printed: Path) -> None:
    """One training under one tool. Never returns."""
    with printed.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    status = 1
    try:
        build = next(build for name, _, build in cases(everything=True) if name == job["case"])
        answer.write_text(json.dumps(examined(job, build)))
        status = 0
    except BaseException:
        # A tool's crash is a result: its traceback goes into the answer.
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def examined(job: dict[str, Any], build: Any) -> dict[str, Any]:
    """What the tool says; the log for those that read logs is made by the tool named 'log'."""
    log = Path(job["log"])
    if job["tool"] == "log":
        return {"findings": [], "stopped": record(build(), job["steps"], log)}
    training = None if job["reads_log"] else build()
    outcome = tools.adapter(job["tool"]).examine(training, job["steps"], log)
    return {"findings": [asdict(f) for f in outcome.findings], "stopped": outcome.stopped}


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Fork, wait, end it when its time is up."""
    answer, printed = folder / "answer.json", folder / "printed.txt"
    answer.unlink(missing_ok=True)
    printed.write_text("")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = os.fork()
    if not process:
        os.setpgrp()
        resource.setrlimit(resource.RLIMIT_CPU, (job["limit"], job["limit"] + 5))
        child(job, answer, printed)
    outcome = waited(process, started + PATIENCE * job["limit"])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    row = {
        "case": job["case"],
        "outcome": outcome,
        "cpu_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 2),
        "seconds": round(time.monotonic() - started, 2),
        "printed": printed.read_text(errors="replace")[-TAIL:],
    }
    return row | (json.loads(answer.read_text()) if outcome == "ran" else {"findings": [], "stopped": None})


def waited(process: int, until: float) -> str:
    """'ran', 'crashed' or 'timed out'."""
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
                return "timed out"
            return "crashed" if status else "ran"
        time.sleep(0.02)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return "timed out"


def main() -> None:
    """Import the tool, then answer until the jobs end."""
    name = sys.argv[1]
    if name == "log" or not tools.manual(name).reads_log:
        keep_data()
    if name != "log":
        tools.adapter(name)
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            print(json.dumps(run(json.loads(line), Path(folder))), flush=True)


if __name__ == "__main__":
    main()
