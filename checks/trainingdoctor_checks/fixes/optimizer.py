"""Fixes of the optimizer: rate, momentum, weight decay, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from trainingdoctor import Finding
from trainingdoctor.measure.layers import Architecture
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.measure.trials import RateTrials
from trainingdoctor.remedy import (
    CallSite,
    DropArgument,
    Edit,
    MoveStatement,
    NotFixable,
    Provenance,
    SetArgument,
    SetCallee,
    fix,
)
from trainingdoctor_checks._rates import (
    NEAR,
    has_learned,
    is_classic,
    published_near,
    published_rate,
    usable_rate,
    usable_trial,
    usual_rate,
)
from trainingdoctor_checks.fixes._values import named_value, number, single
from trainingdoctor_checks.learning_rate import too_high

# The loss, as a share of chance, at which the check counts a rate as one that learns.
LEARNS = too_high.thresholds["learns"].default


def _setting(optimizer: Any, name: str, value: str, provenance: Provenance) -> Edit:
    """For the only optimizer, whose groups all have the value that was given to it."""
    own = single(optimizer, "optimizers")
    given = own.defaults.get(name)
    if any(
        group.get(name) != given and group.get(f"initial_{name}", group.get(name)) != given
        for group in own.param_groups
    ):
        raise NotFixable(f"the parameter groups have {name}s of their own")
    return provenance.setting(own, "the optimizer", name, value)


@fix("lr.too_high", "lr.too_low", optional=("scheduler", "rate_trials"))
def set_rate(
    finding: Finding,
    optimizer: Any,
    scheduler: Any,
    schedule_trace: ScheduleTrace,
    rate_trials: RateTrials | None,
    architecture: Architecture,
    provenance: Provenance,
) -> Iterator[Edit]:
    """Set the rate to one that learned in the trials: the published one for such nets, or the highest; else to the usual one."""
    peak = rate_for(finding, rate_trials, architecture)
    own = single(optimizer, "optimizers")
    if type(scheduler).__name__ in ("OneCycleLR", "CyclicLR"):
        yield provenance.setting(scheduler, "the scheduler", "max_lr", number(peak))
        return
    group = own.param_groups[schedule_trace.group]
    base = float(group.get("initial_lr", group["lr"]))
    ratio = schedule_trace.peak / base if base else 1.0
    yield _setting(optimizer, "lr", number(peak / (ratio or 1.0)), provenance)


def rate_for(finding: Finding, trials: RateTrials | None, architecture: Architecture) -> float:
    """The peak to set, from the trials; without any, the one that the remedy names."""
    if trials is None:
        return float(named_value(finding, "lr"))
    high = finding.code == "lr.too_high"
    usable = usable_rate(trials, LEARNS) if high else trials.peak
    if not high or usable >= trials.peak:
        usable = float(named_value(finding, "lr"))
    if not high:
        # Some dozens of steps favour a rate that is too low for a run, or overstate what one can do.
        published = published_rate(trials)
        near = usable / NEAR <= published <= usable * NEAR
        return published if is_classic(trials, architecture) and near else usable
    if (near_by := published_near(trials, usable, architecture)) is not None:
        return near_by
    # A rate that only did not diverge, and taught nothing, is no cure.
    in_vain = not has_learned(trials, usable_trial(trials, LEARNS), LEARNS)
    return min(usable, usual_rate(trials) or usable) if in_vain else usable


@fix("optimizer.no_momentum", "optimizer.epsilon", "optimizer.negative")
def set_number(finding: Finding, optimizer: Any, provenance: Provenance) -> Iterator[Edit]:
    """Set the usual value."""
    name = finding.where[0].rpartition(".")[2]
    yield _setting(optimizer, name, named_value(finding, name), provenance)


@fix("optimizer.betas")
def set_momentum(finding: Finding, optimizer: Any, provenance: Provenance) -> Iterator[Edit]:
    """Average over the usual number of steps."""
    name = "betas" if "betas" in finding.remedy else "momentum"
    yield _setting(optimizer, name, named_value(finding, name), provenance)


@fix("decay.missing", "decay.too_strong", "decay.too_weak")
def set_decay(finding: Finding, optimizer: Any, provenance: Provenance) -> Iterator[Edit]:
    """Set the weight decay."""
    yield _setting(optimizer, "weight_decay", named_value(finding, "weight_decay"), provenance)


@fix("optimizer.coupled_decay")
def decouple(finding: Finding, optimizer: Any, provenance: Provenance) -> Iterator[Edit]:
    """Use AdamW, whose weight decay stands beside the gradient."""
    own = single(optimizer, "optimizers")
    if type(own).__name__ != "Adam":
        raise NotFixable("only Adam has a twin with decoupled weight decay")
    yield SetCallee(provenance.call(own, "the optimizer").place, "torch.optim.AdamW")
    yield _setting(optimizer, "weight_decay", named_value(finding, "weight_decay"), provenance)


@fix("optimizer.missing_parameters", "optimizer.frozen_parameters")
def hold_all(optimizer: Any, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Give the optimizer all parameters of the model."""
    own = single(optimizer, "optimizers")
    late = _built_after(own, model, provenance)
    if late:
        yield MoveStatement(provenance.call(own, "the optimizer").place, late[-1].place)
        return
    if len(own.param_groups) > 1:
        raise NotFixable("the optimizer has several parameter groups")
    site = provenance.call(own, "the optimizer")
    here = [c for c in provenance.built(model, "the model").calls if c.place.file == site.place.file]
    if not here:
        raise NotFixable("optimizer and model are built in different files")
    yield SetArgument(site, "params", f"{provenance.assigned_name(here[0].place)}.parameters()")


@fix("optimizer.stale_parameters", optional=("scheduler",))
def build_last(optimizer: Any, scheduler: Any, model: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Build the optimizer after the model is complete."""
    own = single(optimizer, "optimizers")
    late = _built_after(own, model, provenance)
    if not late:
        raise NotFixable("where the model's parameters were replaced was not seen")
    yield MoveStatement(provenance.call(own, "the optimizer").place, late[-1].place)
    if scheduler is not None:
        site = provenance.call(single(scheduler, "schedulers"), "the scheduler")
        if site.place < late[-1].place:
            raise NotFixable("the scheduler is built before the model is complete, too")


def _built_after(optimizer: Any, model: nn.Module, provenance: Provenance) -> Sequence[CallSite]:
    """The calls in the optimizer's file that built modules whose parameters it lacks, and that come after it.

    None of the calls around the optimizer's own: `main()` at the end of the file comes after nothing.
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    site, around = provenance.call(optimizer, "the optimizer"), provenance.built(optimizer, "the optimizer").calls
    found: set[CallSite] = set()
    for module in model.modules():
        lacking = [p for p in module.parameters(recurse=False) if id(p) not in held]
        built = provenance.building.of(module)
        if lacking and built is not None:
            late = (c for c in built.calls if c.place.file == site.place.file and c.place > site.place)
            found |= {c for c in late if c not in around}
    return sorted(found, key=lambda c: c.place)


@fix("optimizer.adam_on_sgd_recipe")
def use_sgd(optimizer: Any, provenance: Provenance) -> Iterator[Edit]:
    """Use SGD with momentum, as the published recipes do."""
    site = provenance.call(single(optimizer, "optimizers"), "the optimizer")
    yield SetCallee(site.place, "torch.optim.SGD")
    for name, value in (("lr", "0.1"), ("momentum", "0.9"), ("weight_decay", "5e-4")):
        yield SetArgument(site, name, value)
    defaults = single(optimizer, "optimizers").defaults
    yield from (DropArgument(site, name) for name in ("betas", "eps", "amsgrad", "alpha") if name in defaults)


FIXES = (set_rate, set_number, set_momentum, set_decay, decouple, hold_all, build_last, use_sgd)
