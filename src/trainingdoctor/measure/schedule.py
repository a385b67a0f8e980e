"""The whole schedule, simulated step by step on a copy of the optimizer."""

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.optimizers import several

# Longer runs are simulated this far: 10 million calls would take minutes.
MOST_CALLS = 400_000


@dataclass(frozen=True)
class ScheduleTrace:
    """The learning rate of parameter group 0 over the whole run.

    rates: one per call interval (an epoch, or a step), the rate in force during it.  error: the scheduler raised, at
    call `failed_at`.  adaptive: the schedule depends on a metric, and `rates` is only its start.
    scheduler: class names, or None without a scheduler.  horizon: the end that the scheduler itself was built for
    (T_max, total_steps, the last milestone), in calls; None where it has none.
    """

    rates: tuple[float, ...]
    interval: str
    epochs: int
    steps_per_epoch: int | None
    scheduler: str | None
    adaptive: bool
    horizon: int | None
    error: str | None = None
    failed_at: int | None = None

    @property
    def peak(self) -> float:
        """Highest rate of the run."""
        return max(self.rates)

    @property
    def initial(self) -> float:
        """Rate of the first interval."""
        return self.rates[0]

    @property
    def final(self) -> float:
        """Rate of the last interval."""
        return self.rates[-1]

    @property
    def constant(self) -> bool:
        """Whether the rate never changes by more than a hundredth."""
        return self.peak - min(self.rates) <= 0.01 * abs(self.peak)

    @property
    def peak_position(self) -> float:
        """Where the peak is first reached: 0 at the start, 1 at the end."""
        return self.rates.index(self.peak) / max(len(self.rates) - 1, 1)

    @property
    def mean_over_peak(self) -> float:
        """Area under the curve, as a share of the peak held throughout."""
        return sum(self.rates) / len(self.rates) / self.peak if self.peak > 0 else 0.0

    @property
    def steps(self) -> int | None:
        """Training steps in the whole run."""
        return None if self.steps_per_epoch is None else self.steps_per_epoch * self.epochs

    def share_below(self, fraction: float) -> float:
        """Share of the run after the peak first stands in which the rate is below `fraction` of the peak."""
        after = self.rates[self.rates.index(self.peak) :]
        return sum(rate < fraction * self.peak for rate in after) / len(self.rates)


@evidence(optional=("scheduler", "train_loader"))
def schedule_trace(
    optimizer: Any, epochs: int, scheduler_interval: str, scheduler: Any, train_loader: Any
) -> ScheduleTrace:
    """Simulate the run that the training plans: `epochs` passes, the scheduler called once per epoch or per step."""
    steps = steps_per_epoch(train_loader)
    if scheduler is not None and scheduler_interval == "step" and steps is None:
        raise Unavailable("a schedule per step needs a train_loader whose length is known")
    calls = int(epochs) * (steps or 1) if scheduler_interval == "step" and scheduler is not None else int(epochs)
    if calls < 1:
        raise Unavailable(f"epochs is {epochs}: there is no run to simulate")
    rates, error, adaptive = simulate(optimizer, scheduler, calls)
    schedulers = several(scheduler) if scheduler is not None else ()
    return ScheduleTrace(
        rates=tuple(rates),
        interval=scheduler_interval,
        epochs=int(epochs),
        steps_per_epoch=steps,
        scheduler="+".join(type(s).__name__ for s in schedulers) or None,
        adaptive=adaptive,
        horizon=max((h for s in schedulers if (h := horizon(s)) is not None), default=None),
        error=error,
        failed_at=len(rates) if error else None,
    )


def steps_per_epoch(loader: Any) -> int | None:
    """len(loader), or None where it has none, or gives no batch."""
    if loader is None or not hasattr(type(loader), "__len__"):
        return None
    try:
        with user_code("len(train_loader)"):
            return len(loader) or None
    except UserCodeError:
        return None


def simulate(optimizer: Any, scheduler: Any, calls: int) -> tuple[list[float], str | None, bool]:
    """Rates of group 0 in each of `calls` intervals, the scheduler's error if it raises, and whether it is adaptive.

    Works on stand-ins: neither the optimizer nor the scheduler is touched, and parameters are not copied.
    """
    originals = several(optimizer)
    stand_ins = [_stand_in(o) for o in originals]
    first = stand_ins[0]
    if scheduler is None:
        return [float(first.param_groups[0]["lr"])] * min(calls, MOST_CALLS), None, False
    memo: dict[int, Any] = {id(o): s for o, s in zip(originals, stand_ins, strict=True)}
    memo |= {id(o.optimizer): _stand_in(o.optimizer) for o in several(scheduler) if _elsewhere(o, originals)}
    with user_code("copying the scheduler"):
        copies = [copy.deepcopy(s, memo) for s in several(scheduler)]
    adaptive = any(isinstance(s, torch.optim.lr_scheduler.ReduceLROnPlateau) for s in copies)
    rates: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(min(calls, MOST_CALLS)):
            rates.append(float(first.param_groups[0]["lr"]))
            if adaptive:
                continue
            error = _advance(copies)
            if error is not None and len(rates) < calls:
                return rates, error, adaptive
    return rates, None, adaptive


def _elsewhere(scheduler: Any, originals: Sequence[Any]) -> bool:
    bound = getattr(scheduler, "optimizer", None)
    return hasattr(bound, "param_groups") and all(bound is not o for o in originals)


def _advance(schedulers: Sequence[Any]) -> str | None:
    try:
        with user_code("scheduler.step()"):
            for scheduler in schedulers:
                scheduler.step()
    except UserCodeError as error:
        return str(error)
    return None


def _stand_in(optimizer: Any) -> Optimizer:
    """An optimizer with the same numbers in its groups, and one tiny parameter in each."""
    groups = []
    for group in optimizer.param_groups:
        numbers = {k: _scalar(v) for k, v in group.items() if k != "params"}
        groups.append({**numbers, "params": [torch.zeros(1, requires_grad=True)]})
    stand_in = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    stand_in.param_groups[:] = groups
    stand_in.defaults = {k: _scalar(v) for k, v in getattr(optimizer, "defaults", {}).items()}
    return stand_in


def _scalar(value: Any) -> Any:
    return float(value) if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def horizon(scheduler: Any) -> int | None:
    """The call at which a scheduler of torch reaches the end that it was built for; None where there is none."""
    inner = getattr(scheduler, "_schedulers", None)
    if inner:
        last = horizon(inner[-1])
        offset = (getattr(scheduler, "_milestones", None) or [0])[-1]
        return None if last is None else offset + last
    for name in ("T_max", "total_steps", "total_iters"):
        value = getattr(scheduler, name, None)
        if isinstance(value, int | float) and math.isfinite(value):
            return int(value)
    milestones = getattr(scheduler, "milestones", None)
    return max(milestones) if milestones else None
