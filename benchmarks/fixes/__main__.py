"""Sick configs and scripts, fixed by the tool alone: what was found, what was fixed, and what stands afterwards.

python benchmarks/fixes [--only TEXT|TEXT] [--styles plain function files functions trainer module] [--jobs 2] [--output FILE] [--part] [--again]

plain, function and files are three ways to write a config; functions, trainer and module are those of `benchmarks/scripts`.
Resumable: what the output file already holds is not run again (--again runs it all).
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from faults import FAULTS, HEALTHY
from record import load, save
from run import attempt
from score import score
from scripts import STYLES as SCRIPTS
from scripts import variants
from templates import STYLES

OUTPUT = Path(__file__).resolve().parent.parent / "results" / "fixes.json"


def main() -> None:
    """Parse, run, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="faults whose name holds one of these texts, separated by |")
    parser.add_argument("--styles", nargs="+", default=[*STYLES, *SCRIPTS], choices=[*STYLES, *SCRIPTS])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="configs at a time, one thread each")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="JSON; the Markdown table stands beside it")
    parser.add_argument("--part", action="store_true", help="each fault in only one of the styles function and files")
    parser.add_argument("--again", action="store_true", help="run what the output already holds, too")
    arguments = parser.parse_args()
    known = {
        style: variants() if style in SCRIPTS else [f.name for f in (HEALTHY, *FAULTS)] for style in arguments.styles
    }
    if arguments.part:
        known |= {
            style: names[:1] + names[1 + i :: 2] for i, style in enumerate(STYLES[1:]) if (names := known.get(style))
        }
    texts = arguments.only.split("|")
    plan = [(name, style) for style in arguments.styles for name in known[style] if any(text in name for text in texts)]
    rows = load(arguments.output)
    left = [job for job in plan if arguments.again or f"{job[1]}: {job[0]}" not in rows]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [pool.submit(attempt, *job) for job in left]
        for i, future in enumerate(as_completed(futures), 1):
            row = future.result()
            rows[row["name"]] = row
            print(
                f"{i}/{len(left)}  {row['word']:10} {row['seconds']:6.1f} s  {row['name']:55} {row['said']}", flush=True
            )
            save(arguments.output, rows)
    for name, value in score(rows.values()).items():
        print(f"{name:32} {value}")
    sys.exit(0)


if __name__ == "__main__":
    main()
