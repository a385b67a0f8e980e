"""The process in which an observed script runs, and is diagnosed. Started by `launch`, with an `Order` in a file."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trainingdoctor.cores import Moment, yield_cores
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.history.curves import LearningCurves
    from trainingdoctor.remedy.fix import Proposal
    from trainingdoctor.report import Report
    from trainingdoctor.settings import Settings

# What a killed child leaves behind must be whole: its own clock ends this many seconds before the parent's.
MARGIN = 5.0


@dataclass(frozen=True)
class Order:
    """What to run and how. answer: the file to put the `Answer` into.  scratch: the folder for what the script writes.

    cpu: let scripts that ask for CUDA run on the CPU.  source: code to run in place of the script's.  history: curves of a finished run.
    texts: in place of files.  codes: of findings to propose fixes for (() all warnings); None for no proposals.
    claimed: tell the script that there is a GPU.
    """

    script: Path
    arguments: tuple[str, ...]
    answer: Path
    scratch: Path
    settings: Settings
    steps: int = 50
    seed: int = 0
    cpu: bool = True
    source: str | None = None
    history: LearningCurves | None = None
    texts: Mapping[Path, str] = field(default_factory=dict)
    codes: tuple[str, ...] | None = None
    claimed: bool = False


@dataclass(frozen=True)
class Answer:
    """A report, or one sentence why there is none. notes: what the user should know of how it was run.  proposals: fixes.

    denied: the script built nothing after it had been told that there is no GPU.
    """

    report: Report | None = None
    error: str = ""
    notes: tuple[str, ...] = field(default=())
    proposals: tuple[Proposal, ...] = ()
    denied: bool = False


def main() -> None:
    """Run, diagnose, answer, and leave: threads and exit handlers of the script must not hold us up."""
    order: Order = pickle.loads(Path(sys.argv[1]).read_bytes())
    started, moment = time.perf_counter(), Moment.now()
    own = os.getpid()
    answer = Answer(error="the script was left by a fork of itself")
    try:
        from trainingdoctor.observing.session import Session

        yield_cores(moment)
        answer = Session(order, started).answer()
    except UserError as error:
        answer = Answer(error=str(error))
    except Exception as error:
        answer = Answer(error=f"a bug of trainingdoctor while {order.script.name} was watched: {error!r}")
        raise
    finally:
        if os.getpid() == own:
            give(answer, order)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


# Taken before the script's own calls are redirected; the last words are given while that may still be so.
_open, _write, _close, _replace = os.open, os.write, os.close, os.replace


def give(answer: Answer, order: Order) -> None:
    """Write the answer as a whole or not at all, from whichever thread."""
    beside = f"{order.answer}.{threading.get_ident()}"
    descriptor = _open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    rest = memoryview(pickle.dumps(answer))
    while rest:
        rest = rest[_write(descriptor, rest) :]
    _close(descriptor)
    _replace(beside, order.answer)
