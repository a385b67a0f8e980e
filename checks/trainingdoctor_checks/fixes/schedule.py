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
    CallSite,
    Edit,
    MoveStatement,
    NotFixable,
    Provenance,
    Replace,
    SetArgument,
    fix,
)
from trainingdoctor_checks.fixes._values import single
from trainingdoctor_checks.scheduler import planned_calls

COSINE = "torch.optim.lr_scheduler.CosineAnnealingLR"
# The final share of the peak that an exponential decay is set to: as after two drops by ten (He et al. 2015, section 4.2).
END = 0.01


@fix("schedule.missing", optional=("loop_trace",))
def add_cosine(
    optimizer: Any, schedule_trace: ScheduleTrace, loop_trace: LoopTrace | None, provenance: Provenance
) -> Iterator[Edit]:
    """Decay along a cosine over the whole run."""
    site = provenance.call(single(optimizer, "optimizers"), "the optimizer")
    built = f"{COSINE}({{target}}, T_max={schedule_trace.epochs})"
    if not provenance.is_script:
        yield AddField(site.place, "scheduler", built)
        return
    if loop_trace is None or not loop_trace.epoch_loop:
        raise NotFixable("the loop over epochs, which has to step the scheduler, was not seen")
    holder = provenance.assigned_name(site.place).rpartition(".")[0]
    name = f"{holder}.scheduler" if holder else "scheduler"
    yield AddStatement(site.place, f"{name} = {built}")
    yield AtEndOfLoop(provenance.line(loop_trace.epoch_loop), f"{name}.step()", name, made_at=site.place)


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
    own = single(scheduler, "schedulers")
    site, calls = provenance.call(own, "the scheduler"), len(schedule_trace.rates)
    if schedule_trace.error is not None:
        calls = planned_calls(schedule_trace)
    yield from _fitted(own, site, calls)


def _fitted(scheduler: Any, site: CallSite, calls: int) -> Iterator[Edit]:
    match type(scheduler).__name__:
        case "CosineAnnealingLR":
            yield SetArgument(site, "T_max", str(calls))
        case "OneCycleLR":
            # Of all three that may be given this one counts.
            yield SetArgument(site, "total_steps", str(calls))
        case "MultiStepLR":
            yield SetArgument(site, "milestones", f"[{calls // 2}, {calls * 3 // 4}]")
            if not 0.05 <= scheduler.gamma <= 0.5:
                yield SetArgument(site, "gamma", "0.1")
        case "StepLR":
            yield SetArgument(site, "step_size", str(max(1, calls * 2 // 5)))
            if not 0.05 <= scheduler.gamma <= 0.5:
                yield SetArgument(site, "gamma", "0.1")
        case "ExponentialLR":
            yield SetArgument(site, "gamma", f"{END ** (1 / calls):.5g}")
        case _:
            yield Replace(site.place, f"{COSINE}({{first}}, T_max={calls})")


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


FIXES = (add_cosine, fit_to_run, bind)
