"""The cores that this process may use, and how many of them nobody else is using."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

# How many threads PyTorch had before `yield_cores` took some: what the user's own training gets.
_usual: list[int] = []
# The system counts in hundredths of a second: less than this many seconds tell nothing.
SHORTEST = 0.5


def usable_cores() -> float:
    """Those that this process may use: containers and batch systems give fewer than the machine has."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(affinity, _quota() or float("inf"))


def _quota() -> float | None:
    """Cores that a cgroup v2 grants (a container's CPU limit); None without a limit."""
    file = Path("/sys/fs/cgroup/cpu.max")
    if not file.is_file():
        return None
    quota, _, period = file.read_text().strip().partition(" ")
    return None if quota == "max" or not period else float(quota) / float(period)


@dataclass(frozen=True)
class Moment:
    """Seconds on three clocks. wall: that on the wall.  busy: that all cores together worked.  own: that this process worked."""

    wall: float
    busy: float
    own: float

    @staticmethod
    def now() -> Moment:
        """Read them. What runs at a lower priority is not counted: it makes way."""
        times = psutil.cpu_times()
        return Moment(time.perf_counter(), times.user + times.system, time.process_time())


def spare_cores(since: Moment, now: Moment, cores: int, usable: float) -> int:
    """Of the machine's cores, those that no other process used between two moments; at most the usable ones, at least one."""
    others = (now.busy - since.busy - (now.own - since.own)) / max(now.wall - since.wall, 1e-9)
    return max(1, round(min(usable, cores - others)))


def yield_cores(since: Moment) -> None:
    """Give PyTorch no more threads than there were spare cores since a moment some seconds ago.

    Its threads wait for one another by spinning. One too many on a busy machine makes each step several times as long: a step of
    ResNet-110 on two cores, batch 32, beside one busy process takes 0.6 s with one thread, 1.0 to 3.1 s with two (alone: 0.6 and 0.3 s).
    """
    import torch

    had, now = torch.get_num_threads(), Moment.now()
    if now.wall - since.wall < SHORTEST:
        return
    spare = spare_cores(since, now, os.cpu_count() or 1, usable_cores())
    if spare < had:
        _usual[:] = _usual or [had]
        torch.set_num_threads(spare)


def usual_threads() -> int:
    """PyTorch's threads on the CPU, as they are without `yield_cores`."""
    import torch

    return _usual[0] if _usual else torch.get_num_threads()
