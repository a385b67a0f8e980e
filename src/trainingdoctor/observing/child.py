"""The process in which an observed script runs, and is diagnosed. Started by `launch`, with an `Order` in a file."""

from __future__ import annotations

import math
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainingdoctor.errors import Reason, Unavailable, UserCodeError, UserError

if TYPE_CHECKING:
    from trainingdoctor.history.curves import LearningCurves
    from trainingdoctor.observing.recorder import Recorder
    from trainingdoctor.observing.script import Ran
    from trainingdoctor.remedy.building import Building
    from trainingdoctor.remedy.fix import Proposal
    from trainingdoctor.report import Report
    from trainingdoctor.runner import Diagnosis
    from trainingdoctor.settings import Settings
    from trainingdoctor.training import Training

# What a killed child leaves behind must be whole: its own clock ends this many seconds before the parent's.
MARGIN = 5.0


@dataclass(frozen=True)
class Order:
    """What to run and how. answer: the file to put the `Answer` into.  scratch: the folder for what the script writes.

    cpu: let scripts that ask for CUDA run on the CPU.  source: code to run in place of the script's.  history: curves of a finished run.
    texts: in place of files.  codes: of findings to propose fixes for (() all warnings); None for no proposals.
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


@dataclass(frozen=True)
class Answer:
    """A report, or one sentence why there is none. notes: what the user should know of how it was run.  proposals: fixes."""

    report: Report | None = None
    error: str = ""
    notes: tuple[str, ...] = field(default=())
    proposals: tuple[Proposal, ...] = ()


def main() -> None:
    """Run, diagnose, answer, and leave: threads and exit handlers of the script must not hold us up."""
    order: Order = pickle.loads(Path(sys.argv[1]).read_bytes())
    started = time.perf_counter()
    own = os.getpid()
    answer = Answer(error="the script was left by a fork of itself")
    try:
        answer = answered(order, started)
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


def answered(order: Order, started: float) -> Answer:
    """Observe the script, then diagnose what was seen. Raises UserError where nothing was seen at all."""
    import torch

    from trainingdoctor.cli.enforce import enforced
    from trainingdoctor.observing.interruption import WHY, Interruption
    from trainingdoctor.observing.limits import Limits
    from trainingdoctor.observing.ranks import alone, rank_and_world
    from trainingdoctor.observing.recorder import Recorder
    from trainingdoctor.observing.script import Ran, run_script
    from trainingdoctor.observing.unfinished import built, completed

    limit = order.settings.time_limit
    under_way: list[Diagnosis] = []

    def last_words() -> int:
        report = under_way[0].report() if under_way else None
        give(Answer(report, "" if report else _unstopped(order, recorder)), order)
        return 0

    rank, world = rank_and_world()
    # Several processes must stop at the same step, or they wait for one another for ever.
    timed = Limits.of(order.steps, limit)
    recorder = Recorder(timed if world == 1 else replace(timed, seconds=math.inf, total=math.inf))
    interruption = Interruption()
    interruption.listen()
    # From the start of this process on: importing torch takes seconds, on a busy machine many.
    left = max(limit - MARGIN / 2 - (time.perf_counter() - started), 1.0)
    with enforced(left, last_words), ExitStack() as around:
        folder = Path.cwd()

        def finished(ran: Ran) -> Answer:
            around.pop_all().close()
            os.chdir(folder)
            alone()
            if rank:
                return Answer()
            try:
                # Models that name CUDA in their forward do so here as well.
                with interruption.shortly(), as_before():
                    return diagnosed(ran)
            except KeyboardInterrupt:
                return Answer(under_way[0].report(why=WHY) if under_way else None, notes=ran.notes)

        def diagnosed(ran: Ran) -> Answer:
            known: dict[str, Any] = {}
            if recorder.models or recorder.optimizers:
                training, known = _assembled(recorder, order)
                training = completed(training, order.script, ran) if not recorder.optimizers else training
            else:
                training = built(order.script, ran, interruption.came, recorder.forked)
            report = _diagnosed(training, known, ran, recorder.outdated, order, started, under_way)
            return Answer(report, notes=ran.notes, proposals=_proposed(report, order, building, under_way))

        def from_within() -> None:
            """The script catches whatever is raised: diagnose where it stands, and leave it behind."""
            recorder.leave()
            with torch.enable_grad():
                give(finished(Ran({}, notes=tuple(recorder.notes))), order)
            os._exit(0)

        recorder.swallowed = from_within
        building = _watched(order, around)
        as_before = _enter(order, around, recorder)
        source = order.source if order.source is not None else order.texts.get(order.script)
        return finished(run_script(order.script, order.arguments, recorder, source))


def _unstopped(order: Order, recorder: Recorder) -> str:
    late = f"{order.script.name} could not be stopped within {order.settings.time_limit:g} s"
    if recorder.models and not recorder.optimizers:
        return f"{late}: its first step had not ended; give it smaller batches or a smaller model after --, or a longer --time-limit"
    return late


def _assembled(recorder: Recorder, order: Order) -> tuple[Training, dict[str, Any]]:
    from trainingdoctor.observing.assemble import assembled, rewound

    rewound(recorder)
    training, known = assembled(recorder, order.script)
    later = recorder.reach.missed(order.script.name, order.settings.time_limit)
    if later is not None and training.val_loader is None:
        known = {"val_loader": Unavailable(later, Reason.MISSING), **known}
    return training, known


def _enter(order: Order, around: ExitStack, recorder: Recorder) -> Callable[[], AbstractContextManager[object]]:
    """What a script finds otherwise than it would: where it writes, what it compiles, its devices, and its other processes.

    Returns what its model is to find likewise when it is examined.
    """
    from trainingdoctor.observing.compiling import uncompiled
    from trainingdoctor.observing.cuda import on_cpu
    from trainingdoctor.observing.forking import children_followed
    from trainingdoctor.observing.launching import launches_told
    from trainingdoctor.observing.scratch import redirected
    from trainingdoctor.observing.spawning import first_rank_alone

    around.enter_context(redirected(order.scratch))
    around.enter_context(uncompiled())
    asked = around.enter_context(on_cpu(order.cpu))
    around.enter_context(first_rank_alone(recorder.ranks))
    around.enter_context(children_followed(recorder))
    around.enter_context(launches_told())
    return lambda: on_cpu(asked.cuda)


def _watched(order: Order, around: ExitStack) -> Building | None:
    """Where fixes are asked for: see what builds what, and let files have other texts."""
    if order.codes is None:
        return None
    from trainingdoctor.remedy.building import watched_building
    from trainingdoctor.remedy.overlay import overlaid

    around.enter_context(overlaid(order.texts))
    return around.enter_context(watched_building())


def _proposed(
    report: Report, order: Order, building: Building | None, under_way: list[Diagnosis]
) -> tuple[Proposal, ...]:
    if building is None:
        return ()
    from trainingdoctor.remedy.fix import load_fixes
    from trainingdoctor.remedy.propose import propose
    from trainingdoctor.remedy.provenance import Provenance

    provenance = Provenance(building, order.script, is_script=True)
    return propose(under_way[0], report, order.codes or (), provenance, load_fixes())


def _diagnosed(
    training: Training,
    known: dict[str, Any],
    ran: Ran,
    outdated: list[UserCodeError],
    order: Order,
    started: float,
    under_way: list[Diagnosis],
) -> Report:
    from trainingdoctor.observing.missing import with_reasons
    from trainingdoctor.observing.unfinished import not_reached
    from trainingdoctor.runner import diagnose

    known = {**not_reached(training, known, order.script, ran), **known}
    settings = replace(order.settings, time_limit=max(order.settings.time_limit - MARGIN, 1.0))
    return diagnose(
        replace(training, history=order.history or training.history),
        settings=settings,
        seed=order.seed,
        started=started,
        watch=under_way.append,
        known=with_reasons(training, known, order.script.name),
        failures=(*outdated, *(() if ran.error is None else (ran.error,))),
    )
