"""The evidence of one diagnosis: measured when a check asks for it, once, under a guard, and within a time."""

from __future__ import annotations

import inspect
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from trainingdoctor.check import Cost
from trainingdoctor.deadline import TimeUp, limited
from trainingdoctor.errors import Reason, Terminated, Unavailable, UserCodeError
from trainingdoctor.evidence import Evidence
from trainingdoctor.registry import Registry
from trainingdoctor.settings import Settings
from trainingdoctor.training import Training

if TYPE_CHECKING:
    from trainingdoctor.measure.restore import Snapshot

# A single measurement of the user's objects that takes longer than this hangs, whatever the whole diagnosis may take.
# Seconds; the dearest measurement of a ResNet-110 on two CPU cores takes about a fifth of it.
HANGS = {Cost.INSPECT: 20.0, Cost.PROBE: 60.0, Cost.TRAIN: 150.0}
# And it may use this share of the time that is left, or a few seconds, so that one that hangs leaves some for the others.
SHARES = {Cost.INSPECT: 0.25, Cost.PROBE: 0.5, Cost.TRAIN: 1.0}
A_FEW = 5.0

# Evidence that holds batches of the loaders.
BATCHES = ("train_batches", "val_batches")

# What every step of a watched loop has done, too; and the steps without an error after which it is the repetition that differs.
IN_LOOP = ("the model's forward", "the criterion", "loss.backward()", "optimizer.zero_grad()", "optimizer.step()")
PROVEN = 2

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


@dataclass
class Measuring:
    """Evidence and fields by name. started: the `time.perf_counter()` from which the time limit counts.  known: what is measured by now,
    or what its measurement raised.  failures: what the user's code raised.
    """

    training: Training
    registry: Registry
    settings: Settings
    seed: int
    started: float
    known: dict[str, Any] = field(default_factory=dict)
    failures: list[UserCodeError] = field(default_factory=list)
    tracebacks: dict[str, TracebackType | None] = field(default_factory=dict)
    snapshots: dict[bool, Snapshot] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """A field of the training, or evidence. Raises what its measurement raised, each time it is asked for."""
        if name == "failures":
            return tuple(self.failures)
        if name not in self.known:
            try:
                self.known[name] = self._field(name) if name in Training.field_names() else self._measured(name)
            except UserCodeError as error:
                steps = getattr(self.known.get("loop_trace"), "steps", ())
                error.loop_did = error.stage in IN_LOOP and len(steps) >= PROVEN
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
        left = self._time_left()
        touches = self._touches(evidence)
        # What does not touch the training may still start another Python, which on a busy machine takes long.
        share = min(left, max(SHARES[evidence.cost] * left, A_FEW))
        limit = min(share, HANGS[evidence.cost] if touches else left)
        if limit <= 0:
            raise Unavailable(f"time: the limit of {self.settings.time_limit:.0f} s was used up", Reason.TIME)
        return self._under_guard(evidence, arguments, (limit, share), touches)

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

    def _under_guard(self, evidence: Evidence, arguments: list[Any], limits: tuple[float, float], touches: bool) -> Any:
        """limits: seconds of work, and on the wall where the machine is busy with other things."""
        thresholds = self.settings.thresholds.get(evidence.name, {})
        try:
            with self._nothing_changes(touches), limited(*limits):
                return evidence(*arguments, **thresholds)
        except TimeUp:
            raise Unavailable(
                f"time: measuring {evidence.name} did not end within {limits[0]:.0f} s", Reason.TIME
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
        if not has_objects(self.training):
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


def _users_line(error: BaseException, evidence: Evidence) -> str | None:
    """`file:line` of the user's code that raised; None where it was a measurement."""
    from trainingdoctor.measure.calling import raised_at

    return raised_at(error, but_not=inspect.getfile(evidence.function))


def has_objects(training: Training) -> bool:
    """Whether there is anything of the user's to examine."""
    return any(getattr(training, name) is not None for name in ADD)
