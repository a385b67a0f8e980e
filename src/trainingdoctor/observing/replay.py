"""A schedule of the loop's own, replayed for the whole run."""

from __future__ import annotations

import ast
import contextlib
import io
import math
from collections.abc import Iterator, Sequence

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.measure.simulation import momentum_of
from trainingdoctor.observing.limits import Clock
from trainingdoctor.observing.places import syntax
from trainingdoctor.observing.seen import StepSeen
from trainingdoctor.observing.setters import Setter

# For all epochs.
SECONDS = 2.0
# Rates that the loop was seen to have are met to that part.
SAME = 1e-3


def replayed(setter: Setter) -> tuple[tuple[float, ...], ...] | None:
    """The groups' rates in each epoch, called for all of them; what it changes in the optimizer's groups is put back.

    None where it raises, takes too long, or gives what is no rate.
    """
    groups = setter.optimizer.param_groups
    before = [{k: v for k, v in g.items() if k != "params"} for g in groups]
    try:
        for group, rate in zip(groups, setter.rates, strict=True):
            group["lr"] = rate
        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with quiet[0], quiet[1], user_code(setter.name):
            rates = list(_set(setter))
    except UserCodeError:
        return None
    finally:
        for group, kept in zip(groups, before, strict=True):
            group.update(kept)
    known = [setter.rates, *rates[:-1]] if setter.ahead else rates
    whole = len(known) == len(setter.epochs) and all(math.isfinite(r) for row in known for r in row)
    return tuple(known) if whole else None


def _set(setter: Setter) -> Iterator[tuple[float, ...]]:
    clock = Clock()
    for epoch in setter.epochs:
        if clock.seconds > SECONDS:
            return
        setter.set(epoch)
        yield tuple(float(g["lr"]) for g in setter.optimizer.param_groups)


def schedule_of(setter: Setter, steps: Sequence[StepSeen], per_epoch: int | None) -> ScheduleTrace | None:
    """The rates of the whole run; None where they cannot be had, or are not those that the loop was seen to have.

    steps: of the setter's optimizer.  per_epoch: batches of an epoch.
    """
    rates = replayed(setter)
    if rates is None or not steps or not all(_is_as_seen(rates, step) for step in steps):
        return None
    group = max(range(len(setter.rates)), key=lambda g: max(row[g] for row in rates))
    own = setter.optimizer.param_groups[group]
    return ScheduleTrace(
        rates=tuple(row[group] for row in rates),
        interval="epoch",
        epochs=len(rates),
        steps_per_epoch=per_epoch,
        scheduler=setter.name,
        adaptive=False,
        horizon=None,
        group=group,
        averages=_averages(setter.file),
        momentum=momentum_of(own),
        place=setter.where,
    )


def _is_as_seen(rates: Sequence[tuple[float, ...]], step: StepSeen) -> bool:
    return step.epoch > len(rates) or math.isclose(rates[max(step.epoch, 1) - 1][0], step.rate, rel_tol=SAME)


def _averages(file: str) -> bool:
    """Whether a file speaks of stochastic weight averaging, whose rate stays up by design."""
    tree = syntax(file)
    names = (getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(tree)) if tree is not None else ()
    return any("swa" in name.lower() for name in names if isinstance(name, str))
