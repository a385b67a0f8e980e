"""The fault bench: healthy trainings, and faults injected into them, each diagnosed and scored.

python benchmarks/faults [--only TEXT|TEXT] [--kinds healthy sick pairs] [--jobs 2] [--output FILE] [--again] [--list]

--regression repeats some 40 of them and fails (exit code 1) when more than 1 in 10 of those that the committed table has as
ok are not ok any more.
Resumable: what the output file already holds is not run again (--again runs it all, --again-if TEXT|TEXT some of it).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Before torch is imported, here and in the workers: one thread each, because threads that outnumber the cores wait
# for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from images import GENERATED, source
from plan import jobs, on_base, regression
from run import load, run
from score import judged, score
from table import write

OUTPUT = Path(__file__).resolve().parent.parent / "results" / "faults.json"


def repeat(workers: int, committed: Path) -> int:
    """Run the regression part afresh; 1 when more than 1 in 10 is judged worse than in the committed table.

    Trials near a threshold end otherwise on another processor; a broken check shows in many trainings. On generated
    images, where CIFAR-10 is not here, only what is missed counts: they look like a part of a data set, and are said to.
    """
    before, rows = load(committed), {}
    part = regression({name: row["seconds"] for name, row in before.items()})
    run([job.name for job in part], workers, False, rows, lambda _: None)
    real = source() != GENERATED
    bad = ("MISSED", "ERROR", *(("ALARM", "not first") if real else ()))
    worse = [n for n, row in rows.items() if n in before and judged(before[n]).word == "ok" and judged(row).word in bad]
    print(f"{len(rows)} trainings repeated, {len(worse)} judged worse than in {committed.name}", *worse, sep="\n")
    return 1 if len(worse) > len(rows) / 10 else 0


def main() -> None:
    """Parse, run, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="", help="every fault that fits this base, such as resnet110, and only those")
    parser.add_argument("--only", default="", help="trainings whose name holds one of these texts, separated by |")
    parser.add_argument(
        "--kinds", nargs="+", default=["healthy", "sick", "pairs"], choices=["healthy", "sick", "pairs"]
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time, one thread each")
    parser.add_argument("--quick", action="store_true", help="diagnose with --quick")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="JSON; the Markdown table stands beside it")
    parser.add_argument("--again", action="store_true", help="run what the output already holds, too")
    parser.add_argument("--again-if", default=None, help="run those of it whose name holds one of these texts")
    parser.add_argument("--list", action="store_true", help="print the plan and stop")
    parser.add_argument("--regression", action="store_true", help="repeat a part, compare with the committed table")
    arguments = parser.parse_args()
    if arguments.regression:
        sys.exit(repeat(arguments.jobs, arguments.output))
    plan = on_base(arguments.base) if arguments.base else jobs(kinds=arguments.kinds)
    names = [job.name for job in plan if any(text in job.name for text in arguments.only.split("|"))]
    if arguments.list:
        print("\n".join(names), f"{len(names)} trainings", sep="\n")
        return
    kept = {} if arguments.again else load(arguments.output)
    if arguments.again_if:
        kept = {n: r for n, r in kept.items() if not any(t in n for t in arguments.again_if.split("|"))}
    if not arguments.only and len(arguments.kinds) == 3:
        kept = {n: r for n, r in kept.items() if n in names}

    def save(rows: dict) -> None:
        command = f"python benchmarks/faults{f' --base {arguments.base}' if arguments.base else ''}"
        write([rows[n] for n in rows], arguments.output, command)

    run(names, arguments.jobs, arguments.quick, kept, save)
    for name, value in score(kept.values()).items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
