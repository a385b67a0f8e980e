"""One observed script from its first line to its report."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainingdoctor.cli.enforce import enforced
from trainingdoctor.errors import Reason, Unavailable, UserError, words_of
from trainingdoctor.observing.child import MARGIN, Answer, Order, give
from trainingdoctor.observing.interruption import WHY, Interruption
from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.ranks import alone, rank_and_world
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import Ran, run_script
from trainingdoctor.observing.unfinished import built, completed, not_reached

# Of what a script raises that does not train without a GPU.
WANTS_GPU = re.compile(r"\b(cuda|gpus?)\b", re.IGNORECASE)

if TYPE_CHECKING:
    from trainingdoctor.remedy.building import Building
    from trainingdoctor.remedy.fix import Proposal
    from trainingdoctor.report import Report
    from trainingdoctor.runner import Diagnosis
    from trainingdoctor.training import Training


class Session:
    """Observes the script of an order, then diagnoses what was seen.

    started: time.perf_counter() when its process began.  under_way: the diagnosis, once it has begun.  building: what was built, and
    where, if fixes are asked for.  as_before: what the script found otherwise than it would, its model finds when it is examined.
    denied: whether the script was told that there is no GPU.
    """

    def __init__(self, order: Order, started: float) -> None:
        self.order, self.started = order, started
        self.rank, world = rank_and_world()
        # Several processes must stop at the same step, or they wait for one another for ever.
        timed = Limits.of(order.steps, order.settings.time_limit)
        self.recorder = Recorder(timed if world == 1 else replace(timed, seconds=math.inf, total=math.inf))
        self.recorder.swallowed = self._left_from_within
        self.interruption = Interruption()
        self.around = ExitStack()
        self.folder = Path.cwd()
        self.under_way: list[Diagnosis] = []
        self.building: Building | None = None
        self.as_before: Callable[[], AbstractContextManager[object]] = nullcontext
        self.denied: Callable[[], bool] = lambda: False

    def answer(self) -> Answer:
        """Run it and say what there is to say. Raises UserError where nothing was seen at all."""
        order = self.order
        self.interruption.listen()
        # From the start of this process on: importing torch takes seconds, on a busy machine many.
        passed = time.perf_counter() - self.started
        left = max(order.settings.time_limit - MARGIN / 2 - passed, 1.0)
        with enforced(left, self._last_words), self.around:
            self._enter()
            source = order.source if order.source is not None else order.texts.get(order.script)
            return self._finished(run_script(order.script, order.arguments, self.recorder, source))

    def _enter(self) -> None:
        """What a script finds otherwise than it would: where it writes, what it compiles, its devices, and its other processes."""
        from trainingdoctor.observing.compiling import uncompiled
        from trainingdoctor.observing.cuda import on_cpu
        from trainingdoctor.observing.forking import children_followed
        from trainingdoctor.observing.launching import launches_told
        from trainingdoctor.observing.scratch import redirected
        from trainingdoctor.observing.spawning import first_rank_alone

        self._watch_building()
        self.around.enter_context(redirected(self.order.scratch))
        self.around.enter_context(uncompiled())
        asked = self.around.enter_context(on_cpu(self.order.cpu, self.order.claimed))
        self.around.enter_context(first_rank_alone(self.recorder.ranks))
        self.around.enter_context(children_followed(self.recorder))
        self.around.enter_context(launches_told())
        claimed = self.order.claimed
        self.as_before = lambda: on_cpu(asked.cuda or claimed, claimed)
        self.denied = lambda: asked.denied

    def _watch_building(self) -> None:
        """Where fixes are asked for: see what builds what, and let files have other texts."""
        if self.order.codes is None:
            return
        from trainingdoctor.remedy.building import watched_building
        from trainingdoctor.remedy.overlay import overlaid

        self.around.enter_context(overlaid(self.order.texts))
        self.building = self.around.enter_context(watched_building())

    def _finished(self, ran: Ran) -> Answer:
        self.around.pop_all().close()
        os.chdir(self.folder)
        alone()
        if self.rank:
            return Answer()
        try:
            # Models that name CUDA in their forward do so here as well.
            with self.interruption.shortly(), self.as_before():
                report = self._report(*self._training(ran), ran)
                return Answer(report, notes=ran.notes, proposals=self._proposals(report))
        except UserError as error:
            return Answer(error=str(error), denied=self._turned_away(ran))
        except KeyboardInterrupt:
            return Answer(self.under_way[0].report(why=WHY) if self.under_way else None, notes=ran.notes)

    def _turned_away(self, ran: Ran) -> bool:
        """Whether the script ended by itself, before any model was called, after it had asked for a GPU in vain."""
        error = ran.error.error if ran.error is not None else None
        ended = error is None or isinstance(error, SystemExit) or bool(WANTS_GPU.search(words_of(error)))
        return ended and self.denied() and not self.recorder.models and not self.recorder.optimizers

    def _training(self, ran: Ran) -> tuple[Training, dict[str, Any]]:
        """What was seen, or else what the script builds; with evidence that is known beforehand."""
        recorder, script = self.recorder, self.order.script
        if not recorder.models and not recorder.optimizers:
            return built(script, ran, self.interruption.came, recorder.forked), {}
        training, known = seen(recorder, self.order)
        return completed(training, script, ran) if not recorder.optimizers else training, known

    def _report(self, training: Training, known: dict[str, Any], ran: Ran) -> Report:
        from trainingdoctor.observing.missing import with_reasons
        from trainingdoctor.runner import diagnose

        order = self.order
        known = {**not_reached(training, known, order.script, ran), **known}
        return diagnose(
            replace(training, history=order.history or training.history),
            settings=replace(order.settings, time_limit=max(order.settings.time_limit - MARGIN, 1.0)),
            seed=order.seed,
            started=self.started,
            watch=self.under_way.append,
            known=with_reasons(training, known, order.script.name),
            failures=(*self.recorder.outdated, *(() if ran.error is None else (ran.error,))),
        )

    def _proposals(self, report: Report) -> tuple[Proposal, ...]:
        if self.building is None:
            return ()
        from trainingdoctor.remedy.fix import load_fixes
        from trainingdoctor.remedy.propose import propose
        from trainingdoctor.remedy.provenance import Provenance

        provenance = Provenance(self.building, self.order.script, is_script=True)
        return propose(self.under_way[0], report, self.order.codes or (), provenance, load_fixes())

    def _left_from_within(self) -> None:
        """The script catches whatever is raised: diagnose where it stands, and leave it behind."""
        self.recorder.leave()
        with torch.enable_grad():
            give(self._finished(Ran({}, notes=tuple(self.recorder.notes))), self.order)
        os._exit(0)

    def _last_words(self) -> int:
        """Time is up, and the script cannot be stopped."""
        report = self.under_way[0].report() if self.under_way else None
        give(Answer(report, "" if report else unstopped(self.order, self.recorder)), self.order)
        return 0


def seen(recorder: Recorder, order: Order) -> tuple[Training, dict[str, Any]]:
    """The training that was seen, as it was before its first step, with evidence that is known beforehand."""
    from trainingdoctor.observing.assemble import assembled, rewound

    rewound(recorder)
    training, known = assembled(recorder, order.script)
    later = recorder.reach.missed(order.script.name, order.settings.time_limit)
    if later is not None and training.val_loader is None:
        known = {"val_loader": Unavailable(later, Reason.MISSING), **known}
    return training, known


def unstopped(order: Order, recorder: Recorder) -> str:
    """Why there is no report of a script that was still running at the time limit."""
    late = f"{order.script.name} could not be stopped within {order.settings.time_limit:g} s"
    if recorder.models and not recorder.optimizers:
        return f"{late}: its first step had not ended; give it smaller batches or a smaller model after --, or a longer --time-limit"
    return late
