"""The runner decides: what is measured, in which order, for how long, and what becomes of it."""

from __future__ import annotations

import inspect
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from trainingdoctor.check import Check, Cost
from trainingdoctor.deadline import TimeUp, limited
from trainingdoctor.errors import Reason, Terminated, Unavailable, UserCodeError, words_of
from trainingdoctor.evidence import Evidence
from trainingdoctor.finding import Finding, Note
from trainingdoctor.registry import Registry, load_registry
from trainingdoctor.report import Outcome, Report, Result
from trainingdoctor.settings import Settings
from trainingdoctor.training import Training

if TYPE_CHECKING:
    from trainingdoctor.measure.restore import Snapshot
    from trainingdoctor.render.pictures import Exhibit

Progress = Callable[[int, int, str], None]

# A single measurement of the user's objects that takes longer than this hangs, whatever the whole diagnosis may take.
# Seconds; the dearest measurement of a ResNet-110 on two CPU cores takes about a fifth of it.
HANGS = {Cost.INSPECT: 20.0, Cost.PROBE: 60.0, Cost.TRAIN: 150.0}
# And it may use this share of the time that is left, or a few seconds, so that one that hangs leaves some for the others.
SHARES = {Cost.INSPECT: 0.25, Cost.PROBE: 0.5, Cost.TRAIN: 1.0}
A_FEW = 5.0

# Evidence that holds batches of the loaders.
BATCHES = ("train_batches", "val_batches")

# Evidence for the report's header: where it ran, and what was examined.
ABOUT = ("environment_facts", "training_summary")

# What to add to a config to get the checks that need a field.
ADD = {
    "model": "model = ...",
    "train_loader": "train_loader = DataLoader(...)",
    "val_loader": "val_loader = DataLoader(...)",
    "criterion": "criterion = nn.CrossEntropyLoss()",
    "optimizer": "optimizer = torch.optim.SGD(model.parameters(), lr=...)",
    "scheduler": "scheduler = torch.optim.lr_scheduler.<...>(optimizer, ...)",
    "epochs": "epochs = <number of passes over train_loader>",
    "num_classes": "num_classes = ...",
    "grad_clip": "grad_clip = <the norm you clip gradients to>",
    "history": "--history metrics.csv",
    "augment_on_device": "augment_on_device = <what you apply to a batch in training>",
}


# Most trainings do without, and are not examined the less for it.
OFTEN_ABSENT = ("grad_clip", "augment_on_device", "history")


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
class Diagnosis:
    """One diagnosis under way: evidence is measured at most once, lazily, and shared."""

    training: Training
    registry: Registry
    settings: Settings
    seed: int
    started: float
    known: dict[str, Any] = field(default_factory=dict)
    failures: list[UserCodeError] = field(default_factory=list)
    tracebacks: dict[str, TracebackType | None] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    snapshots: dict[bool, Snapshot] = field(default_factory=dict)

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
            reason = f"{type(error).__name__}: {words_of(error)}"
            return Result(check.code, Outcome.CRASHED, check.cost, reason, traceback=traceback.format_exc())
        return told(check, said)

    def value(self, name: str) -> Any:
        """A field of the training, or evidence. Raises what its measurement raised, each time it is asked for."""
        if name == "failures":
            return tuple(self.failures)
        if name not in self.known:
            try:
                self.known[name] = self._field(name) if name in Training.field_names() else self._measured(name)
            except UserCodeError as error:
                if error not in self.failures:
                    self.failures.append(error)
                self._keep(name, error)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - kept, and raised for each check that asks
                self._keep(name, error)
        value = self.known[name]
        if isinstance(value, Exception | SystemExit):
            # Raised many times over: without this its traceback would grow each time.
            raise value.with_traceback(self.tracebacks.get(name))
        return value

    def _keep(self, name: str, error: BaseException) -> None:
        self.known[name], self.tracebacks[name] = error, error.__traceback__

    def _field(self, name: str) -> Any:
        value = getattr(self.training, name)
        if value is None:
            reason = Reason.NOT_APPLICABLE if name in OFTEN_ABSENT else Reason.MISSING
            raise Unavailable(f"needs {name}: add `{ADD.get(name, f'{name} = ...')}`", reason)
        return value

    def _measured(self, name: str) -> Any:
        evidence = self.registry.evidence(name)
        if evidence is None:
            raise LookupError(f"there is neither a field of Training nor evidence named {name!r}")
        if evidence.cost is Cost.TRAIN and self.settings.quick:
            raise Unavailable("left out by --quick, because it trains", Reason.QUICK)
        while True:
            try:
                return self._once(evidence)
            except UserCodeError as error:
                if not self._on_smaller_batches(error):
                    raise

    def _once(self, evidence: Evidence) -> Any:
        arguments = [self._argument(evidence, need) for need in evidence.needs]
        limit = left = self._time_left()
        touches = self._touches(evidence)
        if touches:
            limit = min(HANGS[evidence.cost], left, max(SHARES[evidence.cost] * left, A_FEW))
        if limit <= 0:
            raise Unavailable(f"time: the limit of {self.settings.time_limit:.0f} s was used up", Reason.TIME)
        return self._under_guard(evidence, arguments, limit, touches)

    def _on_smaller_batches(self, error: UserCodeError) -> bool:
        """Whether a measurement that ran out of memory can be tried again: with half of each batch, as all that follow."""
        from trainingdoctor.reference.memory import is_out_of_memory, let_go

        held = {n: b for n in BATCHES if isinstance(b := self.known.get(n), tuple) and b[0].size > 1}
        if not held or not is_out_of_memory(error.error):
            return False
        with suppress(Unavailable, UserCodeError):
            # Read off the batches as they are drawn.
            self.value("batch_size")
        self.known.update({n: tuple(b.first((b.size + 1) // 2) for b in batches) for n, batches in held.items()})
        again = UserCodeError(error.stage, said=str(error))
        again.where, again.retried_with = error.where, self.known[next(iter(held))][0].size
        self.failures.append(again)
        let_go(error)
        return True

    def _argument(self, evidence: Evidence, need: str) -> Any:
        try:
            return self.value(need)
        except Unavailable as unavailable:
            if need in evidence.optional and unavailable.reason in (Reason.MISSING, Reason.NOT_APPLICABLE):
                return None
            raise

    def _under_guard(self, evidence: Evidence, arguments: list[Any], limit: float, touches: bool) -> Any:
        thresholds = self.settings.thresholds.get(evidence.name, {})
        try:
            with self._nothing_changes(touches), limited(limit):
                return evidence(*arguments, **thresholds)
        except TimeUp:
            raise Unavailable(
                f"time: measuring {evidence.name} did not end within {limit:.0f} s", Reason.TIME
            ) from None
        except (Unavailable, UserCodeError, KeyboardInterrupt, Terminated):
            raise
        except BaseException as error:
            where = _users_line(error, evidence) if touches else None
            if where is None:
                raise
            # As a `__getattr__` or a `__repr__` that raises: no training loop would have called it.
            said = UserCodeError(f"your code, looked at for {evidence.name},", error, where)
            raise Unavailable(str(said), Reason.FAILED) from error

    def _time_left(self) -> float:
        return self.settings.time_limit - (time.perf_counter() - self.started)

    def _nothing_changes(self, touches: bool) -> AbstractContextManager[None]:
        """Around every measurement; touches: it is given the training's objects. Without objects of a training nothing needs torch, which may be what is broken."""
        if not _has_objects(self.training):
            return nullcontext()
        from trainingdoctor.measure.restore import Snapshot, undone_and_seeded

        if touches not in self.snapshots:
            # Taken once: after each measurement everything is again as it was then.
            self.snapshots[touches] = Snapshot(self.training if touches else Training())
        return undone_and_seeded(self.snapshots[touches], self.seed)

    def _touches(self, evidence: Evidence) -> bool:
        """Whether the measurement is given an object of the training, itself or through other evidence."""
        for need in evidence.needs:
            # Fields first: looking for evidence of that name would import every measurement, and torch.
            inner = None if need in Training.field_names() else self.registry.evidence(need)
            if getattr(self.training, need, None) is not None or (inner is not None and self._touches(inner)):
                return True
        return False

    def about(self) -> None:
        """Measure where it ran and what was examined, for the report's header."""
        for name in ABOUT:
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


def _users_line(error: BaseException, evidence: Evidence) -> str | None:
    """`file:line` of the user's code that raised; None where it was a measurement."""
    from trainingdoctor.measure.calling import raised_at

    return raised_at(error, but_not=inspect.getfile(evidence.function))


def _has_objects(training: Training) -> bool:
    return any(getattr(training, name) is not None for name in ADD)


def _require_types(training: Training) -> None:
    """Raise UserError where a field holds something else than it says."""
    if _has_objects(training):
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
