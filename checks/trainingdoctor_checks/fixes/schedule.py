"""Fixes of the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.remedy import (
    AddField,
    AddStatement,
    AtEndOfLoop,
    Edit,
    MoveStatement,
    NotFixable,
    Provenance,
    Replace,
    ScaleArgument,
    SetArgument,
    fix,
)
from trainingdoctor_checks.fixes._values import single

COSINE = "torch.optim.lr_scheduler.CosineAnnealingLR"
# The final share of the peak that an exponential decay is set to: as after two drops by ten (He et al. 2015, section 4.2).
END = 0.01
# What their ends are called. Of all three that OneCycleLR may be given total_steps counts.
ENDS = {"CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps", "PolynomialLR": "total_iters"}
# Schedulers of torch for which a cosine can stand: they need no more than the optimizer.
COSINES = ("CosineAnnealingWarmRestarts", "CyclicLR", "LinearLR", "ConstantLR")
# What says how long a scheduler takes, in calls.
LENGTHS = {"CosineAnnealingLR": "T_max", "StepLR": "step_size", "MultiStepLR": "milestones"}


@fix("schedule.missing", optional=("loop_trace",))
def add_cosine(
    optimizer: Any, schedule_trace: ScheduleTrace, loop_trace: LoopTrace | None, provenance: Provenance
) -> Iterator[Edit]:
    """Decay along a cosine over the whole run."""
    site = provenance.call(single(optimizer, "optimizers"), "the optimizer")
    if not provenance.is_script:
        yield AddField(site.place, "scheduler", f"{COSINE}({{target}}, T_max={schedule_trace.epochs})")
        return
    if loop_trace is None or not loop_trace.epoch_loop:
        raise NotFixable("the loop over epochs, which has to step the scheduler, was not seen")
    holder = provenance.assigned_name(site.place).rpartition(".")[0]
    name = f"{holder}.scheduler" if holder else "scheduler"
    loop = provenance.line(loop_trace.epoch_loop)
    epochs = provenance.epochs_at(loop, site.place) or schedule_trace.epochs
    yield AddStatement(site.place, f"{name} = {COSINE}({{target}}, T_max={epochs})")
    yield AtEndOfLoop(loop, f"{name}.step()", name, made_at=site.place)


@fix(
    "schedule.never_decays",
    "schedule.decays_too_early",
    "schedule.ends_high",
    "schedule.restarts_at_end",
    "schedule.warmup_stuck",
    "schedule.step_unit",
    "schedule.zero_rate",
)
def fit_to_run(scheduler: Any, schedule_trace: ScheduleTrace, provenance: Provenance) -> Iterator[Edit]:
    """Let the schedule end with the run."""
    yield from _fitted(single(scheduler, "schedulers"), schedule_trace.calls, provenance)


def _fitted(scheduler: Any, calls: int, provenance: Provenance) -> Iterator[Edit]:
    """calls: of its step() until the run ends."""
    name = type(scheduler).__name__
    if name == "SequentialLR":
        yield from _last_fitted(scheduler, calls, provenance)
        return
    values = _length(scheduler, calls)
    if "gamma" not in values and name in ("StepLR", "MultiStepLR") and not 0.05 <= scheduler.gamma <= 0.5:
        values["gamma"] = "0.1"
    yield from (provenance.setting(scheduler, "the scheduler", n, v, alone=n != "gamma") for n, v in values.items())
    if not values and name in COSINES:
        yield Replace(provenance.call(scheduler, "the scheduler").place, f"{COSINE}({{first}}, T_max={calls})")
    elif not values:
        raise NotFixable(f"how {name} is to end with the run, after {calls} calls, is for its author to say")


def _length(scheduler: Any, calls: int) -> dict[str, str]:
    """What makes it end after so many calls; nothing where that is not known."""
    name = type(scheduler).__name__
    if name in ENDS or (name == "LinearLR" and scheduler.end_factor < scheduler.start_factor):
        return {ENDS.get(name, "total_iters"): str(calls)}
    drops = {
        "MultiStepLR": ("milestones", f"[{calls // 2}, {calls * 3 // 4}]"),
        "StepLR": ("step_size", str(max(1, calls * 2 // 5))),
        "ExponentialLR": ("gamma", f"{END ** (1 / calls):.5g}"),
    }
    return dict([drops[name]]) if name in drops else {}


def _last_fitted(scheduler: Any, calls: int, provenance: Provenance) -> Iterator[Edit]:
    """What comes before the last milestone stays where that lies in the first half of the run; else it is a twentieth of it."""
    begins, warmup = scheduler._milestones[-1], scheduler._schedulers[0]
    if begins > calls // 2:
        if len(scheduler._schedulers) > 2 or type(warmup).__name__ not in ("LinearLR", "ConstantLR"):
            raise NotFixable(
                f"which of its schedulers is to be shorter, so that it ends after {calls} calls, is not known"
            )
        begins = max(1, calls // 20)
        yield provenance.setting(warmup, "the warm-up", "total_iters", str(begins), alone=True)
        yield provenance.setting(scheduler, "the scheduler", "milestones", f"[{begins}]", alone=True)
    yield from _fitted(scheduler._schedulers[-1], calls - begins, provenance)


@fix("loop.scheduler_every_batch")
def count_steps(
    scheduler: Any, train_loader: Any, schedule_trace: ScheduleTrace, provenance: Provenance
) -> Iterator[Edit]:
    """Let the schedule count steps, as the loop does."""
    own = single(scheduler, "schedulers")
    name = LENGTHS.get(type(own).__name__)
    if name is None:
        raise NotFixable(f"how long {type(own).__name__} is to take is for its author to say")
    site = provenance.call(own, "the scheduler")
    try:
        batches = f"len({provenance.name_at(train_loader, 'train_loader', site.place)})"
    except NotFixable:
        batches = str(schedule_trace.steps_per_epoch)
    yield ScaleArgument(site, name, batches)


@fix("schedule.wrong_optimizer")
def bind(optimizer: Any, scheduler: Any, provenance: Provenance) -> Iterator[Edit]:
    """Build the scheduler with the optimizer that trains."""
    own, schedule = single(optimizer, "optimizers"), single(scheduler, "schedulers")
    site, built = provenance.call(schedule, "the scheduler"), provenance.call(own, "the optimizer")
    if site.place.file != built.place.file:
        raise NotFixable("optimizer and scheduler are built in different files")
    if site.place < built.place:
        yield MoveStatement(site.place, built.place)
    else:
        yield SetArgument(site, "optimizer", provenance.assigned_name(built.place))


FIXES = (add_cosine, fit_to_run, count_steps, bind)
