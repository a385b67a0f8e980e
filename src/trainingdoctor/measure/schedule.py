"""The whole schedule, simulated step by step on a copy of the optimizer."""

import copy
import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.optimizers import same_optimizer, several

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trainingdoctor.plots.canvas import Target

# Longer runs are not simulated, because the start of a schedule says nothing about its end: 400,000 calls take 6 s.
MOST_CALLS = 400_000
# What home-made schedulers and timm's call the count that their step() takes.
COUNTS = ("epoch", "step", "iter", "update", "batch")

Steppers = Sequence[Callable[[int], Any]]


@dataclass(frozen=True)
class ScheduleTrace:
    """The learning rate of one parameter group over the whole run: of the one with the highest rate, number `group`.

    rates: one per call interval (an epoch, or a step), the rate in force during it.  error: the scheduler raised, at
    call `failed_at`.  adaptive: the schedule depends on a metric, and `rates` is only its start.  averages: it ends with
    stochastic weight averaging (SWALR), whose rate stays up by design.
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
    group: int = 0
    averages: bool = False

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
    def mean_over_peak(self) -> float:
        """Area under the curve, as a share of the peak held throughout."""
        return sum(self.rates) / len(self.rates) / self.peak if self.peak > 0 else 0.0

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


@evidence(optional=("scheduler", "train_loader"))
def schedule_trace(
    optimizer: Any, epochs: int, scheduler_interval: str, scheduler: Any, train_loader: Any
) -> ScheduleTrace:
    """Simulate the run that the training plans: `epochs` passes, the scheduler called once per epoch or per step."""
    steps = steps_per_epoch(train_loader)
    if scheduler is not None and scheduler_interval == "step" and steps is None:
        raise Unavailable("a schedule per step needs a train_loader whose length is known")
    if int(epochs) < 1:
        raise Unavailable(f"epochs is {epochs}: there is no run to simulate")
    if any(g.get("lr") is None for o in several(optimizer) for g in o.param_groups):
        raise Unavailable("the optimizer sets its own learning rate (lr=None)")
    return trace(optimizer, scheduler, int(epochs), steps, scheduler_interval)


def trace(optimizer: Any, scheduler: Any, epochs: int, steps: int | None, interval: str) -> ScheduleTrace:
    """The rates of `epochs` epochs of `steps` steps with the scheduler called once per `interval`."""
    calls = epochs * (steps or 1) if interval == "step" and scheduler is not None else epochs
    if calls > MOST_CALLS and scheduler is not None:
        raise Unavailable(f"the scheduler is called {calls:,} times, more than the {MOST_CALLS:,} that are simulated")
    rates, error, adaptive = simulate(optimizer, scheduler, calls)
    schedulers = several(scheduler) if scheduler is not None else ()
    return ScheduleTrace(
        rates=tuple(rates),
        interval=interval,
        epochs=epochs,
        steps_per_epoch=steps,
        scheduler="+".join(type(s).__name__ for s in schedulers) or None,
        adaptive=adaptive,
        horizon=max((h for s in schedulers if (h := horizon(s)) is not None), default=None),
        error=error,
        failed_at=len(rates) if error else None,
        group=leading_group(optimizer),
        averages=any(map(_averages, schedulers)),
    )


def leading_group(optimizer: Any) -> int:
    """Number, over all optimizers, of the parameter group with the highest rate before any schedule; the first of equals.

    Frozen backbones and layer-wise rates put groups with a rate of 0 or nearly 0 first.
    """
    groups = [g for o in several(optimizer) for g in o.param_groups]
    rates = [float(g.get("initial_lr", g["lr"])) for g in groups]
    return rates.index(max(rates))


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


def simulate(optimizer: Any, scheduler: Any, calls: int) -> tuple[list[float], str | None, bool]:
    """Rates of the leading group in each of `calls` intervals, the scheduler's error if it raises, and whether it is
    adaptive.

    Works on stand-ins: neither the optimizer nor the scheduler is touched, and parameters are not copied.
    """
    originals = several(optimizer)
    stand_ins = [_stand_in(o) for o in originals]
    leading = [g for o in stand_ins for g in o.param_groups][leading_group(optimizer)]
    if scheduler is None:
        return [float(leading["lr"])] * min(calls, MOST_CALLS), None, False
    copies = _copied(several(scheduler), originals, stand_ins)
    steppers = [_stepper(s) for s in copies]
    if any(stepper is None for stepper in steppers):
        return [float(leading["lr"])] * min(calls, MOST_CALLS), None, True
    rates: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in range(1, min(calls, MOST_CALLS) + 1):
            rates.append(float(leading["lr"]))
            error = _advance([s for s in steppers if s], call)
            if error is not None and len(rates) < calls:
                return rates, error, False
    return rates, None, False


def _copied(schedulers: Sequence[Any], originals: Sequence[Any], stand_ins: Sequence[Optimizer]) -> list[Any]:
    """Copies of the schedulers that drive the stand-ins; each scheduler of some other optimizer drives one of its own."""
    memo: dict[int, Any] = {id(o): s for o, s in zip(originals, stand_ins, strict=True)}
    for scheduler in schedulers:
        bound = getattr(scheduler, "optimizer", None)
        if hasattr(bound, "param_groups") and id(bound) not in memo:
            same = (s for o, s in zip(originals, stand_ins, strict=True) if same_optimizer(bound, o))
            memo[id(bound)] = next(same, None) or _stand_in(bound)
    with user_code("copying the scheduler"):
        return [copy.deepcopy(s, memo) for s in schedulers]


def _stepper(scheduler: Any) -> Callable[[int], Any] | None:
    """How `step` is called in the n-th interval: bare, or with the count; None when it wants a metric."""
    if "Plateau" in type(scheduler).__name__:
        return None
    required = _required(scheduler.step)
    if not required:
        return lambda _: scheduler.step()
    counts = len(required) == 1 and (required[0] in ("t", "i", "n") or any(c in required[0].lower() for c in COUNTS))
    return scheduler.step if counts else None


def _required(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional and p.default is p.empty]


def _advance(steppers: Steppers, call: int) -> str | None:
    try:
        with user_code("scheduler.step()"):
            for step in steppers:
                step(call)
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
