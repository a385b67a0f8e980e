"""The runner decides: which checks run, in which order, and what becomes of what they say."""

from __future__ import annotations

import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trainingdoctor.check import Check
from trainingdoctor.errors import Reason, Unavailable, UserCodeError, one_line
from trainingdoctor.finding import Finding, Note
from trainingdoctor.measuring import Measuring, has_objects
from trainingdoctor.registry import Registry, load_registry
from trainingdoctor.report import Outcome, Report, Result
from trainingdoctor.settings import Settings
from trainingdoctor.training import Training

if TYPE_CHECKING:
    from trainingdoctor.render.pictures import Exhibit

Progress = Callable[[int, int, str], None]

# Evidence for the report's header: where it ran, and what was examined.
ABOUT = ("environment_facts", "training_summary")


def diagnose(
    training: Training,
    *,
    settings: Settings | None = None,
    device: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    registry: Registry | None = None,
    started: float | None = None,
    watch: Callable[[Diagnosis], object] | None = None,
    known: Mapping[str, Any] | None = None,
    failures: Iterable[UserCodeError] = (),
) -> Report:
    """Run the checks on a training and report what was found.

    settings: selection, thresholds, `quick` and `time_limit` (default: all checks, 600 s).  device: where to measure
    (default: where the model is).  seed: of every measurement.  started: the `time.perf_counter()` from which the time
    limit counts (default: now).  watch: called with the diagnosis before it begins; its `report()` tells how far it is.
    known: evidence that was gathered beforehand, by name, as from an observed loop.  failures: what the user's code raised
    meanwhile.
    The training comes back bit for bit as it was. Raises UserError for a field of the wrong type.
    """
    _require_types(training)
    diagnosis = Diagnosis(
        training, registry or load_registry(), settings or Settings(), seed, started or time.perf_counter()
    )
    diagnosis.known.update(known or {})
    diagnosis.failures.extend(failures)
    if watch is not None:
        watch(diagnosis)
    with quiet(), _eager(), _placed(training, device):
        diagnosis.about()
        diagnosis.run(progress or (lambda *_: None))
        diagnosis.look()
    return diagnosis.report(finished=True)


@dataclass
class Diagnosis(Measuring):
    """One diagnosis under way: the checks' results by now, on evidence that is measured when they ask."""

    results: list[Result] = field(default_factory=list)

    def report(self, finished: bool = False, why: str | None = None) -> Report:
        """What is known by now; checks that have not run are skipped for want of time, or for `why`. finished: with pictures, if wanted."""
        done = {r.code: r for r in self.results}
        late = why or f"time: the limit of {self.settings.time_limit:.0f} s was used up"
        missing = {
            c.code: Result(c.code, Outcome.SKIPPED, c.cost, late, Reason.TIME) for c in self.registry.checks.values()
        }
        about = [known if isinstance(known := self.known.get(name), Mapping) else {} for name in ABOUT]
        return Report(
            target=self.training.name,
            results=tuple({**missing, **done}.values()),
            training=about[1],
            environment=about[0],
            seconds=time.perf_counter() - self.started,
            broken=tuple(self.registry.broken),
            pictures=self._pictures() if finished and self.settings.pictures else (),
        )

    def _pictures(self) -> tuple[Exhibit, ...]:
        with suppress(Exception):  # a report without pictures is better than none
            from trainingdoctor.render.pictures import pictures

            return pictures(self.known)
        return ()

    def run(self, progress: Progress) -> None:
        """All checks: cheap ones first, and last the one that reports what the user's code raised on the way."""
        checks = sorted(self.registry.checks.values(), key=lambda c: ("failures" in c.needs, c.cost.rank))
        for i, check in enumerate(checks):
            progress(i, len(checks), check.code)
            self.results.append(self.result(check))
        progress(len(checks), len(checks), "")

    def look(self) -> None:
        """Measure what only pictures show, if they are wanted."""
        if self.settings.pictures:
            from trainingdoctor.render.pictures import ASKED

            for name in ASKED:
                with suppress(Exception, SystemExit):  # a report with fewer pictures is better than none
                    self.value(name)

    def result(self, check: Check) -> Result:
        """One check's outcome, whatever happens in it."""
        began = time.perf_counter()
        result = self._judged(check)
        return replace(result, seconds=time.perf_counter() - began)

    def _judged(self, check: Check) -> Result:
        if (why_not := self.settings.excludes(check)) is not None:
            return Result(check.code, Outcome.SKIPPED, check.cost, why_not, Reason.NOT_APPLICABLE)
        try:
            evidence = [self.value(name) for name in check.needs]
            said = check(*evidence, **self.settings.thresholds.get(check.code, {}))
        except Unavailable as unavailable:
            return Result(check.code, Outcome.SKIPPED, check.cost, str(unavailable), unavailable.reason)
        except UserCodeError as error:
            return Result(check.code, Outcome.SKIPPED, check.cost, str(error), Reason.FAILED)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a crashed check is one line in the report, never the end of it
            return Result(check.code, Outcome.CRASHED, check.cost, one_line(error), traceback=traceback.format_exc())
        return told(check, said)

    def about(self) -> None:
        """Measure what is examined and where it runs, for the report's header; the former is quick on any machine."""
        for name in reversed(ABOUT):
            with suppress(Exception, SystemExit):  # a report without its header is better than none
                self.value(name)


def told(check: Check, said: list[Finding | Note]) -> Result:
    """What a check said, as its result; findings carry its code, symptoms and references."""
    findings = tuple(
        replace(
            f,
            code=check.code,
            explains=check.explains,
            explained_by=check.explained_by,
            references=f.references or check.references,
        )
        for f in said
        if isinstance(f, Finding)
    )
    notes = tuple(n for n in said if isinstance(n, Note))
    return Result(
        check.code, Outcome.UNWELL if findings else Outcome.HEALTHY, check.cost, findings=findings, notes=notes
    )


def _require_types(training: Training) -> None:
    """Raise UserError where a field holds something else than it says."""
    if has_objects(training):
        from trainingdoctor.loading.fields import require_types

        require_types(training, "Training")


def _placed(training: Training, device: str | None) -> AbstractContextManager[None]:
    if device is None or training.model is None:
        return nullcontext()
    from trainingdoctor.measure.place import placed

    return placed(training, device)


def _eager() -> AbstractContextManager[Any]:
    """torch.compile'd models run as written meanwhile: hooks and odd batch sizes would compile them anew each time."""
    dynamo = sys.modules.get("torch._dynamo")
    stance = getattr(sys.modules["torch"].compiler, "set_stance", None) if dynamo is not None else None
    return stance("force_eager") if stance is not None else nullcontext()


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings that torch prints about the user's code while it is being examined belong to no one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
