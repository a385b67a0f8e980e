"""The hostile gallery as a table: what was said of each input, the exit code, the seconds.

python benchmarks/gallery.py [--here] [--only WORDS]: writes benchmarks/results/gallery.json and .md. The inputs are those of tests/gallery. What hangs, kills or
ends its process is diagnosed by the command line in a process of its own; all else in this one, one after the other.
"""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.gallery import configs, criteria, data_sets, loaders, models, optimizers, surroundings  # noqa: E402
from tests.gallery.play import Played, play, write  # noqa: E402
from tests.gallery.row import Row  # noqa: E402

RESULTS = Path(__file__).parent / "results"
KINDS = (configs, data_sets, loaders, models, optimizers, criteria)
# Beside the limit of 10 % and 5 s: what Python and torch take to start here.
START = 15.0


@dataclass(frozen=True)
class Shown:
    """A line of the table. as_expected: the sentence, the exit code, the rest of the report, the state, and the time limit."""

    kind: str
    name: str
    sentence: str
    exit: int
    seconds: float
    judged: int
    as_expected: bool
    lacks: str = ""


def sentence_of(row: Row, played: Played) -> str:
    """The sentence that was wanted, or else the first that was said."""
    told = [s for s in played.sentences if (row.said or "\0") in s]
    findings = [f["message"] for f in played.report.get("findings", ()) if f["severity"] != "info"]
    return next(iter((*told, *findings)), "nothing found" if played.exit == 0 else "")


def lacks(row: Row, played: Played, seconds: float) -> str:
    """What was expected and did not come."""
    limit = float(row.options[row.options.index("--time-limit") + 1]) if "--time-limit" in row.options else None
    wrong = {
        f"exit code {row.exit}": played.exit != row.exit,
        "the sentence": not any(row.said in s for s in played.sentences) and row.said != "",
        "the rest of the report": played.judged < row.judged,
        "the state": bool(played.changed),
        "no crashed check": bool(played.crashed),
        "no traceback": "Traceback" in played.stdout + played.stderr,
        "the time limit": limit is not None and seconds > 1.1 * limit + 5 + START,
    }
    return ", ".join(name for name, is_so in wrong.items() if is_so)


def shown(kind: str, row: Row, played: Played, seconds: float) -> Shown:
    """As a line of the table."""
    missing = lacks(row, played, seconds)
    text = " ".join(sentence_of(row, played).split())
    return Shown(kind, row.name, text[:240], played.exit, round(seconds, 2), played.judged, not missing, missing)


def by_command(row: Row, folder: Path) -> Played:
    """In a process of its own, or in what a shell makes of that."""
    config, output = write(row, folder), folder.parent / f"{folder.name}.json"
    command = [sys.executable, "-m", "trainingdoctor", "diagnose", str(config), *row.options, "--output", str(output)]
    shell = ["bash", "-c", row.shell.replace("{command}", shlex.join(command))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            shell, capture_output=True, text=True, check=False, timeout=120, env=environment, cwd=folder
        )
    except subprocess.TimeoutExpired:
        return Played(124, "", "did not end within 120 s")
    report = json.loads(output.read_text()) if output.exists() else {}
    return Played(done.returncode, done.stdout, done.stderr, report)


def one(kind: str, row: Row, around: Any = None) -> Shown:
    """Play a row in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "training"
        folder.mkdir()
        began = time.perf_counter()
        if row.slow:
            played = by_command(row, folder)
        else:
            with contextlib.redirect_stdout(sys.stderr):
                played = play(row, folder, around) if around else play(row, folder)
        line = shown(kind, row, played, time.perf_counter() - began)
        line = replace(line, sentence=line.sentence.replace(f"{place}/", ""))
        if not line.as_expected:
            print(
                f"{kind}: {row.name}: lacks {line.lacks}; exit {line.exit}, {line.seconds} s: {line.sentence}",
                flush=True,
            )
        return line


def rows() -> Iterator[tuple[str, Row, Any]]:
    """All of them, with what surrounds them."""
    for module in KINDS:
        yield from ((module.__name__.rpartition(".")[2], row, None) for row in module.ROWS)
    yield from (("surroundings", s.row, s.around) for s in surroundings.ROWS)


HOW = (
    "Inputs that hang or end their process were diagnosed by the command line, and their seconds include the start of "
    "Python and torch; the others in one process."
)
LEFT_OUT = "Inputs that hang or end their process were left out (`--here`)."


def is_slow(line: Shown) -> bool:
    """Whether it was diagnosed in a process of its own."""
    return any(row.slow and (kind, row.name) == (line.kind, line.name) for kind, row, _ in rows())


def table(found: Sequence[Shown]) -> str:
    """As Markdown."""
    good = sum(s.as_expected for s in found)
    lines = [
        "# The hostile gallery",
        "",
        f"Made by `python benchmarks/gallery.py`: {len(found)} inputs, {good} as expected: the sentence, the exit code, the other checks' judgements, "
        f"no traceback, and the training, the process and the folder as they were before. {HOW if any(map(is_slow, found)) else LEFT_OUT}",
        "",
        "| kind | input | said | exit | checks judged | seconds | as expected |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in found:
        said = s.sentence.replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<").replace("[", "\\[")
        state = "yes" if s.as_expected else f"lacks {s.lacks}"
        lines.append(
            f"| {s.kind.replace('_', ' ')} | {s.name} | {said} | {s.exit} | {s.judged} | {s.seconds} | {state} |"
        )
    return "\n".join(lines) + "\n"


def before() -> dict[tuple[str, str], Shown]:
    """The lines of the last table."""
    lines = [Shown(**line) for line in json.loads((RESULTS / "gallery.json").read_text())]
    return {(line.kind, line.name): line for line in lines}


def main() -> int:
    """All inputs; 1 where one was not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--here", action="store_true", help="Without those that need a process of their own.")
    parser.add_argument(
        "--only", action="append", help="Rows whose kind or name holds these words; the others stay as they are."
    )
    arguments = parser.parse_args()
    words = arguments.only or [""]
    named = [r for r in rows() if any(word in f"{r[0]}: {r[1].name}" for word in words)]
    wanted = [r for r in named if not (r[1].slow and arguments.here)]
    # Those that wait do so beside one another.
    with ThreadPoolExecutor(2) as pool:
        waiting = {(k, r.name): pool.submit(one, k, replace(r)) for k, r, _ in wanted if r.slow}
        slow = {key: future.result() for key, future in waiting.items()}
    new = {(k, r.name): slow[k, r.name] if r.slow else one(k, r, around) for k, r, around in wanted}
    found = list(({**before(), **new} if arguments.only else new).values())
    (RESULTS / "gallery.json").write_text(json.dumps([asdict(s) for s in found], indent=2) + "\n")
    (RESULTS / "gallery.md").write_text(table(found))
    print(f"{sum(s.as_expected for s in found)} of {len(found)} as expected")
    return 0 if all(s.as_expected for s in found) else 1


if __name__ == "__main__":
    sys.exit(main())
