"""When schedulers are stepped, told by what changes in them."""

from __future__ import annotations

import gc
import math
from collections import Counter
from contextlib import suppress
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, StepLR

from trainingdoctor.measure.restore import Snapshot
from trainingdoctor.measure.schedule import horizon
from trainingdoctor.observing.seen import SchedulerSeen, TwinsSeen

# The share of its rate at which a scheduler without an end has come to one.
GONE = 1e-3


class SchedulerWatch:
    """One scheduler. early: steps before the first optimizer step; within: between two steps of one pass; between: other
    calls of step(), by the number of the training pass that they followed.  told: what it was stepped with."""

    def __init__(self, scheduler: Any, fresh: bool) -> None:
        self.scheduler = scheduler
        self.state = _state(scheduler)
        self.early = max(0, int(getattr(scheduler, "_step_count", 1)) - 1) if fresh else 0
        self.snapshot = Snapshot(scheduler)
        self.ticks = self.within = 0
        self.between: Counter[int] = Counter()
        self.told: set[str] = set()
        self.first = self.last = self._rate()

    def poll(self, within: bool, epoch: int = 0) -> int:
        """1 when it was stepped since the last look. epoch: number of the training pass that this is in, or after."""
        state = _state(self.scheduler)
        if state == self.state:
            return 0
        if not within:
            self.between[epoch] += _calls(self.state, state)
        self.state = state
        self.last = self._rate()
        self.ticks += 1
        self.within += within
        return 1

    def seen(self) -> SchedulerSeen:
        """The record."""
        name = type(self.scheduler).__name__
        end, rising = _end(self.scheduler), self.last > self.first
        told = next(iter(self.told)) if len(self.told) == 1 else ""
        mode = str(getattr(self.scheduler, "mode", ""))
        return SchedulerSeen(
            name, self.ticks + self.early, self.early, self.within, end, rising, self._each(), told, mode
        )

    def _each(self) -> int:
        """Calls per epoch outside of it. The last epoch is left out: it may have been followed by others, cut to nothing."""
        counts = [self.between[epoch] for epoch in range(1, max(self.between, default=0))]
        return 0 if self.within else min(counts, default=0)

    def _rate(self) -> float:
        return rate_of(driven(self.scheduler))


class Schedulers:
    """Every scheduler of torch that drives one of the observed optimizers, but for those inside another one."""

    def __init__(self) -> None:
        self.watched: list[SchedulerWatch] = []
        self.ticks = 0

    def look(self, optimizer: Optimizer) -> None:
        """Find those of an optimizer, at its first step. They are found among all objects: scripts keep them anywhere."""
        found = [o for o in gc.get_objects() if issubclass(type(o), LRScheduler)]
        inner = {id(s) for o in found for s in _held(o)}
        known = {id(w.scheduler) for w in self.watched}
        for scheduler in found:
            if driven(scheduler) is optimizer and id(scheduler) not in inner | known:
                self.watched.append(SchedulerWatch(scheduler, fresh=not optimizer.state))

    def told(self, scheduler: Any, metric: str) -> None:
        """What one of them is stepped with."""
        for watch in self.watched:
            if watch.scheduler is scheduler:
                watch.told.add(metric)

    def poll(self, within: bool, epoch: int = 0) -> int:
        """Look at all of them; 1 when one was stepped since the last look."""
        ticks = max((w.poll(within, epoch) for w in self.watched), default=0)
        self.ticks += ticks
        return ticks


def twins(watched: list[SchedulerWatch], optimizers: list[Any]) -> TwinsSeen | None:
    """Two schedulers of one kind and the same settings that drive one optimizer, and are both stepped."""
    for i, first in enumerate(watched):
        for second in watched[:i]:
            mine = driven(first.scheduler)
            if mine is driven(second.scheduler) and first.ticks == second.ticks > 0 and _are_alike(first, second):
                scheduled = {id(driven(w.scheduler)) for w in watched}
                others = sum(id(o) not in scheduled for o in optimizers)
                return TwinsSeen(type(first.scheduler).__name__, others)
    return None


def _are_alike(first: SchedulerWatch, second: SchedulerWatch) -> bool:
    a, b = _settings(first.scheduler), _settings(second.scheduler)
    return type(first.scheduler) is type(second.scheduler) and a is not None and a == b


def _settings(scheduler: Any) -> str | None:
    """What it was built with, as text, because tensors have no one answer to ==; None where that is a function, which cannot be compared."""
    with suppress(Exception):  # of the user's, and no reason to lose what was seen
        held = {k: v for k, v in scheduler.state_dict().items() if not k.startswith("_")}
        return None if "lr_lambdas" in held else repr(held)
    return None


def _held(scheduler: Any) -> list[Any]:
    """The schedulers that another one steps: those of SequentialLR, the one that a warm-up of the script's own hands over to."""
    values = [v for held in vars(scheduler).values() for v in (held if isinstance(held, list | tuple) else (held,))]
    return [v for v in values if issubclass(type(v), LRScheduler)]


def rate_of(optimizer: Any) -> float:
    """Learning rate of the first group; 0 where it has none."""
    return float(optimizer.param_groups[0].get("lr") or 0.0)


def driven(scheduler: Any) -> Any:
    """The optimizer of a scheduler, out of the wrapper of Accelerate where there is one."""
    optimizer = getattr(scheduler, "optimizer", None)
    inner = getattr(optimizer, "optimizer", None)
    return inner if isinstance(inner, Optimizer) else optimizer


def _state(scheduler: Any) -> tuple[Any, ...]:
    """What changes with each step()."""
    inner = tuple(map(_state, _held(scheduler)))
    # A ChainedScheduler only has those inside.
    last = getattr(scheduler, "last_epoch", None)
    return (last, getattr(scheduler, "_step_count", None), getattr(scheduler, "T_cur", None), inner)


def _calls(before: tuple[Any, ...], after: tuple[Any, ...]) -> int:
    """How often step() was called between two states; 1 where it was told an epoch, which may be any."""
    if before[0] is None:
        return max(map(_calls, before[-1], after[-1]), default=1)
    told, counted = after[0] - before[0], None if before[1] is None else after[1] - before[1]
    return int(told) if told > 0 and counted in (None, 0, told) else 1


def _end(scheduler: Any) -> int | None:
    """The call at which it reaches what it was built for; where it has no end, at which hardly any rate is left."""
    gamma, known = getattr(scheduler, "gamma", None), horizon(scheduler)
    if known is not None or type(scheduler) not in (StepLR, ExponentialLR) or gamma is None or not 0 < gamma < 1:
        return known
    return math.ceil(math.log(GONE) / math.log(gamma)) * int(getattr(scheduler, "step_size", 1))
