"""A schedule run step by step on stand-ins for the optimizer and the scheduler."""

import copy
import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.optimizers import same_optimizer, several

# Longer runs are not simulated, because the start of a schedule says nothing about its end: 400,000 calls take 6 s.
MOST_CALLS = 400_000
# What home-made schedulers and timm's call the count that their step() takes.
COUNTS = ("epoch", "step", "iter", "update", "batch")

Steppers = Sequence[Callable[[int], Any]]


@dataclass(frozen=True)
class Simulation:
    """Rates of the leading group in each interval; its momentum (SGD's, or beta 1) where the rate is highest.

    error: what the scheduler raised.  adaptive: it depends on a metric, and was not run.
    """

    rates: tuple[float, ...]
    momentum: float | None
    error: str | None = None
    adaptive: bool = False


def leading_group(optimizer: Any) -> int:
    """Number, over all optimizers, of the parameter group with the highest rate before any schedule; the first of equals.

    Frozen backbones and layer-wise rates put groups with a rate of 0 or nearly 0 first.
    """
    groups = [g for o in several(optimizer) for g in o.param_groups]
    rates = [float(g.get("initial_lr", g["lr"])) for g in groups]
    return rates.index(max(rates))


def simulate(optimizer: Any, scheduler: Any, calls: int) -> Simulation:
    """Run `calls` intervals of the schedule.

    Works on stand-ins: neither the optimizer nor the scheduler is touched, and parameters are not copied.
    """
    originals = several(optimizer)
    stand_ins = [_stand_in(o) for o in originals]
    leading = [g for o in stand_ins for g in o.param_groups][leading_group(optimizer)]
    still = Simulation((float(leading["lr"]),) * min(calls, MOST_CALLS), momentum_of(leading))
    if scheduler is None:
        return still
    copies = _copied(several(scheduler), originals, stand_ins)
    steppers = [stepper for s in copies if (stepper := _stepper(s)) is not None]
    return _run(leading, steppers, calls) if len(steppers) == len(copies) else replace(still, adaptive=True)


def _run(leading: dict[str, Any], steppers: Steppers, calls: int) -> Simulation:
    rates: list[float] = []
    momentum, peak = momentum_of(leading), -math.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in range(1, min(calls, MOST_CALLS) + 1):
            rates.append(float(leading["lr"]))
            if rates[-1] > peak:
                momentum, peak = momentum_of(leading), rates[-1]
            error = _advance(steppers, call, leading)
            if error is not None:
                return Simulation(tuple(rates), momentum, error)
    return Simulation(tuple(rates), momentum)


def momentum_of(group: dict[str, Any]) -> float | None:
    """SGD's momentum or the first beta: the two that OneCycleLR and CyclicLR lower while the rate is high."""
    value = group.get("momentum", (group.get("betas") or (None,))[0])
    return None if value is None else float(value)


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


def _advance(steppers: Steppers, call: int, leading: dict[str, Any]) -> str | None:
    try:
        with user_code("scheduler.step()"):
            for step in steppers:
                step(call)
        _require_rate(leading)
    except UserCodeError as error:
        return str(error)
    return None


def _require_rate(group: dict[str, Any]) -> None:
    rate = group["lr"]
    if not isinstance(rate, Real | torch.Tensor | np.generic) or not math.isfinite(rate):
        raise UserCodeError("scheduler.step()", said=f"scheduler.step() set the learning rate to {rate!r}")


def _stand_in(optimizer: Any) -> Optimizer:
    """An optimizer with the same numbers in its groups, and one tiny parameter in each."""
    groups = []
    for group in optimizer.param_groups:
        numbers = {k: _scalar(v) for k, v in group.items() if k != "params"}
        groups.append({**numbers, "params": [torch.zeros(1, requires_grad=True)]})
    stand_in = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    stand_in.param_groups[:] = groups
    defaults = getattr(optimizer, "defaults", None)
    stand_in.defaults = {k: _scalar(v) for k, v in defaults.items()} if isinstance(defaults, Mapping) else {}
    return stand_in


def _scalar(value: Any) -> Any:
    return float(value) if isinstance(value, torch.Tensor) and value.numel() == 1 else value
