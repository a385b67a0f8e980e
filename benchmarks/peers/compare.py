"""The same sick and healthy trainings through trainingdoctor and through other diagnostic tools from the package index.

python benchmarks/peers/compare.py [--all] [--only TEXT] [--tools NAME ...] [--jobs 1] [--again] [--judge]

The tools go into an environment of their own under benchmarks/peers/.venv. Results (JSON with what every tool said,
and a Markdown table) go to benchmarks/results/peers.{json,md}; what the JSON already holds is not run again.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[0:0] = [str(HERE.parent.parent / "src"), str(HERE.parent.parent / "checks")]

import environment  # noqa: E402  after the path
import table  # noqa: E402
import torch  # noqa: E402
from judge import judged  # noqa: E402
from tools import OURS, manual, manuals  # noqa: E402
from trainings import DEPTH, cases, data  # noqa: E402

LOGS = HERE / "runs"
LOG_STEPS = 100
LIMIT = 120
TEXTS, LENGTH = 3, 500


def without_paths(text: str) -> str:
    """A traceback as it would be on any machine: what is committed names no folder of this one."""
    for folder in (str(Path(__file__).resolve().parents[2]), sys.base_prefix, str(Path.home())):
        text = text.replace(f"{folder}/", "")
    return text


def merged(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each rule: how often, and its first texts."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for finding in findings:
        groups.setdefault((finding["rule"], finding["alarm"]), []).append(finding["text"][:LENGTH])
    return [
        {"rule": rule, "alarm": alarm, "count": len(texts), "texts": list(dict.fromkeys(texts))[:TEXTS]}
        for (rule, alarm), texts in groups.items()
    ]


class Bench:
    """The results file, and the runs that fill it."""

    def __init__(self, output: Path, everything: bool) -> None:
        self.output, self.lock = output, threading.Lock()
        self.faults = {name: code for name, code, _ in cases(everything)}
        kept = json.loads(output.read_text()) if output.is_file() else {}
        self.settings = {"depth": DEPTH, "data": data(), "log_steps": LOG_STEPS, "torch": torch.__version__}
        self.rows: dict[str, dict[str, Any]] = kept.get("rows", {}) if kept.get("settings") == self.settings else {}
        self.versions: dict[str, str] = {}

    def run(self, tool: str, names: list[str], again: bool) -> None:
        """One tool on the trainings that it has not seen."""
        done = self.rows.setdefault(tool, {})
        todo = [name for name in names if again or name not in done]
        if not todo or self.versions.get(tool, "").startswith("not installed"):
            return
        about = None if tool == "log" else manual(tool)
        interpreter = sys.executable if tool in (OURS, "log") else environment.python()
        command = [interpreter, str(HERE / "worker.py"), tool]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment.variables()
        ) as worker:
            for name in todo:
                job = {
                    "tool": tool, "case": name, "log": str(LOGS / f"{name.replace('/', ' ')}.csv"), "limit": LIMIT,
                    "steps": about.steps if about else LOG_STEPS, "reads_log": bool(about and about.reads_log),
                }  # fmt: skip
                worker.stdin.write(json.dumps(job) + "\n")
                worker.stdin.flush()
                self.keep(tool, name, json.loads(worker.stdout.readline()))

    def keep(self, tool: str, name: str, row: dict[str, Any]) -> None:
        """Into the file at once, so that an interrupted comparison goes on where it was."""
        row["findings"] = merged(row["findings"])
        row["printed"] = without_paths(row["printed"]) if row["outcome"] != "ran" else ""
        with self.lock:
            self.rows[tool][name] = row
            self.write()
        said = ", ".join(f["rule"] for f in row["findings"] if f["alarm"])[:100]
        print(f"{tool:22} {row['cpu_seconds']:7.1f} s  {name:34} {row['outcome']:9} {said}", flush=True)

    def write(self) -> None:
        """JSON."""
        conditions = {"python": platform.python_version(), "machine": platform.machine(), "threads": 1}
        held = {"settings": self.settings, "conditions": conditions, "versions": self.versions}
        held |= {"faults": self.faults, "scores": self.scores(), "rows": self.rows}
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self.output.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n")

    def scores(self) -> dict[str, Any]:
        """Every tool's verdicts on the trainings that it and the log have seen."""
        logs = self.rows.get("log", {})
        result = {}
        for tool in manuals():
            rows = {n: r for n, r in self.rows.get(tool.name, {}).items() if n in self.faults and n in logs}
            if rows:
                result[tool.name] = judged(tool, rows, self.faults, logs)
        return result


def main() -> None:
    """Parse, install, run, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every training of the fault bench, not only a part")
    parser.add_argument("--only", default="", help="run the trainings whose name holds this text")
    parser.add_argument("--tools", nargs="*", help="run these tools only")
    parser.add_argument("--jobs", type=int, default=1, help="tools at a time, one core each")
    parser.add_argument("--again", action="store_true", help="run what the output already holds, too")
    parser.add_argument("--judge", action="store_true", help="run nothing: judge and write anew what the output holds")
    parser.add_argument("--output", type=Path, default=HERE.parent / "results" / "peers.json")
    arguments = parser.parse_args()
    bench = Bench(arguments.output, arguments.all)
    chosen = [m for m in manuals() if not arguments.tools or m.name in arguments.tools]
    bench.versions = environment.prepare(manuals() if arguments.judge else chosen)
    if not arguments.judge:
        LOGS.mkdir(exist_ok=True)
        names = [name for name in bench.faults if arguments.only in name]
        missing = [
            n
            for n in names
            if n not in bench.rows.get("log", {}) or not (LOGS / f"{n.replace('/', ' ')}.csv").is_file()
        ]
        due = names if arguments.again else missing
        parts = [("log", due[start :: arguments.jobs], True) for start in range(arguments.jobs)]
        # The quick ones first, so that an interrupted comparison holds most of them.
        chosen.sort(key=lambda m: (not m.reads_log, m.name != OURS, m.steps))
        for jobs in (parts, [(m.name, names, arguments.again) for m in chosen]):
            with ThreadPoolExecutor(arguments.jobs) as pool:
                list(pool.map(lambda job: bench.run(*job), jobs))
    bench.write()
    text = table.markdown(bench.faults, bench.scores(), bench.rows, bench.versions, bench.settings)
    arguments.output.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
