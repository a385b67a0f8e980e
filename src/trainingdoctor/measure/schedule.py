"""The whole schedule, simulated step by step on a copy of the optimizer."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.optimizers import require_groups, several
from trainingdoctor.measure.simulation import MOST_CALLS, leading_group, simulate
from trainingdoctor.observing.trace import LoopTrace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trainingdoctor.plots.canvas import Target


@dataclass(frozen=True)
class ScheduleTrace:
    """The learning rate of one parameter group over the whole run: of the one with the highest rate, number `group`.

    rates: one per call interval (an epoch, or a step), the rate in force during it.  error: the scheduler raised, at
    call `failed_at`.  adaptive: the schedule depends on a metric, and `rates` is only its start.  averages: it ends with
    stochastic weight averaging (SWALR), whose rate stays up by design.  momentum: SGD's, or Adam's first beta, at the
    peak of the rate, where OneCycleLR has it lowest.  each: times that it is called per interval, where a loop was watched.
    scheduler: class names, or None without a scheduler.  horizon: the end that the scheduler itself was built for
    (T_max, total_steps, the last milestone), in intervals; None where it has none.  built_for: the same in calls.  place: of what sets the
    rates, file:line for a function of the loop's own.
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
    group: int = 0
    averages: bool = False
    momentum: float | None = None
    each: int = 1
    built_for: int | None = None
    place: str = "scheduler"

    @cached_property
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

    @cached_property
    def constant(self) -> bool:
        """Whether the rate never changes by more than a hundredth."""
        return self.peak - min(self.rates) <= 0.01 * abs(self.peak)

    @cached_property
    def peak_position(self) -> float:
        """Where the peak is first reached: 0 at the start, 1 at the end."""
        return self.rates.index(self.peak) / max(len(self.rates) - 1, 1)

    @cached_property
    def after_peak(self) -> tuple[float, ...]:
        """The rates from where it first comes to its peak: at a second time it may be higher by what floats round."""
        first = next((i for i, rate in enumerate(self.rates) if rate >= 0.999 * self.peak), 0)
        return self.rates[first:]

    @cached_property
    def mean_over_peak(self) -> float:
        """Area under the curve, as a share of the peak held throughout."""
        return sum(self.rates) / len(self.rates) / self.peak if self.peak > 0 else 0.0

    @property
    def calls(self) -> int:
        """Times that the scheduler is called in the whole run, also where it raises before: what T_max counts."""
        per_epoch = (self.steps_per_epoch or 1) if self.interval == "step" else 1
        return self.epochs * per_epoch * self.each

    @property
    def steps(self) -> int | None:
        """Training steps in the whole run."""
        return None if self.steps_per_epoch is None else self.steps_per_epoch * self.epochs

    def share_below(self, fraction: float) -> float:
        """Share of the run after the peak first stands in which the rate is below `fraction` of the peak."""
        after, limit = self.rates[self.rates.index(self.peak) :], fraction * self.peak
        return sum(rate < limit for rate in after) / len(self.rates)

    def plot(self, target: "Target" = None) -> "Figure":
        """Draw the rate over the run, in epochs or steps, with its peak and its end.

        target: a file to write (.png, .svg, .pdf), matplotlib axes to draw into, or None; returns the figure.
        """
        from trainingdoctor.plots.schedule import draw

        return draw(self, target)

    def _repr_html_(self) -> str | None:
        """For notebooks."""
        from trainingdoctor.render.notebook import picture_html
        from trainingdoctor.render.words import of_schedule

        return picture_html(self.plot, of_schedule({"schedule_trace": self}))


@evidence(optional=("scheduler", "train_loader", "loop_trace"))
def schedule_trace(
    optimizer: Any,
    epochs: int,
    scheduler_interval: str,
    scheduler: Any,
    train_loader: Any,
    loop_trace: LoopTrace | None = None,
) -> ScheduleTrace:
    """Simulate the run that the training plans: `epochs` passes, the scheduler called once per epoch or per step.

    A loop that was watched may call it several times per epoch.
    """
    steps = steps_per_epoch(train_loader)
    if scheduler is not None and scheduler_interval == "step" and steps is None:
        raise Unavailable("a schedule per step needs a train_loader whose length is known")
    if int(epochs) < 1:
        raise Unavailable(f"epochs is {epochs}: there is no run to simulate")
    for one in several(optimizer):
        require_groups(one)
    if any(g.get("lr") is None for o in several(optimizer) for g in o.param_groups):
        raise Unavailable("the optimizer sets its own learning rate (lr=None)")
    seen = () if loop_trace is None or scheduler_interval == "step" else loop_trace.schedulers
    each = min((s.each for s in seen), default=0)
    return trace(optimizer, scheduler, int(epochs), steps, scheduler_interval, max(each, 1))


def trace(
    optimizer: Any, scheduler: Any, epochs: int, steps: int | None, interval: str, each: int = 1
) -> ScheduleTrace:
    """The rates of `epochs` epochs of `steps` steps with the scheduler called `each` times per `interval`."""
    calls = epochs * (steps or 1) if interval == "step" and scheduler is not None else epochs
    calls *= each
    if calls > MOST_CALLS and scheduler is not None:
        raise Unavailable(f"the scheduler is called {calls:,} times, more than the {MOST_CALLS:,} that are simulated")
    group = leading_group(optimizer)
    run = simulate(optimizer, scheduler, calls)
    schedulers = several(scheduler) if scheduler is not None else ()
    end = max((h for s in schedulers if (h := horizon(s)) is not None), default=None)
    return ScheduleTrace(
        rates=run.rates[::each],
        interval=interval,
        epochs=epochs,
        steps_per_epoch=steps,
        scheduler="+".join(type(s).__name__ for s in schedulers) or None,
        adaptive=run.adaptive,
        horizon=None if end is None else math.ceil(end / each),
        error=run.error,
        failed_at=math.ceil(len(run.rates) / each) if run.error else None,
        group=group,
        averages=any(map(_averages, schedulers)),
        momentum=run.momentum,
        each=each,
        built_for=end,
    )


def _averages(scheduler: Any) -> bool:
    inner = getattr(scheduler, "_schedulers", None) or ()
    return isinstance(scheduler, torch.optim.swa_utils.SWALR) or any(map(_averages, inner))


def steps_per_epoch(loader: Any) -> int | None:
    """len(loader), or None where it has none, or gives no batch."""
    if loader is None or not hasattr(type(loader), "__len__"):
        return None
    try:
        with user_code("len(train_loader)"):
            return len(loader) or None
    except UserCodeError:
        return None


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
