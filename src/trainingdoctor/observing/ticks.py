"""When schedulers are stepped, told by what changes in them."""

from __future__ import annotations

import gc
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainingdoctor.measure.restore import Snapshot
from trainingdoctor.measure.schedule import horizon
from trainingdoctor.observing.trace import SchedulerSeen


class SchedulerWatch:
    """One scheduler. early: steps before the first optimizer step; within: between two steps of one pass."""

    def __init__(self, scheduler: Any, fresh: bool) -> None:
        self.scheduler = scheduler
        self.state = _state(scheduler)
        self.early = max(0, int(getattr(scheduler, "_step_count", 1)) - 1) if fresh else 0
        self.snapshot = Snapshot(scheduler)
        self.ticks = self.within = 0
        self.first = self.last = self._rate()

    def poll(self, within: bool) -> int:
        """1 when it was stepped since the last look."""
        state = _state(self.scheduler)
        if state == self.state:
            return 0
        self.state = state
        self.last = self._rate()
        self.ticks += 1
        self.within += within
        return 1

    def seen(self) -> SchedulerSeen:
        """The record."""
        name = type(self.scheduler).__name__
        end, rising = horizon(self.scheduler), self.last > self.first
        return SchedulerSeen(name, self.ticks + self.early, self.early, self.within, end, rising)

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
        inner = {id(s) for o in found for s in getattr(o, "_schedulers", ())}
        known = {id(w.scheduler) for w in self.watched}
        for scheduler in found:
            if driven(scheduler) is optimizer and id(scheduler) not in inner | known:
                self.watched.append(SchedulerWatch(scheduler, fresh=not optimizer.state))

    def poll(self, within: bool) -> int:
        """Look at all of them; 1 when one was stepped since the last look."""
        ticks = max((w.poll(within) for w in self.watched), default=0)
        self.ticks += ticks
        return ticks


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
    inner = tuple(_state(s) for s in getattr(scheduler, "_schedulers", ()))
    return (scheduler.last_epoch, getattr(scheduler, "_step_count", None), getattr(scheduler, "T_cur", None), inner)
