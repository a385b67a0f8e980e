"""The scheduler: whose it is, how often it is called, and what it leaves of the rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning
from trainingdoctor_checks._schedule_faults import Fault, fault_of, rhythm

if TYPE_CHECKING:
    from trainingdoctor.measure.optimizers import SchedulerBinding
    from trainingdoctor.measure.schedule import ScheduleTrace
    from trainingdoctor.observing.trace import LoopTrace

PLATEAU = "https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html"


@check(
    "schedule.overridden",
    explains=("schedule.warmup_stuck", "schedule.never_decays", "schedule.ends_high", "lr.too_low", "lr.too_high"),
)
def overridden(scheduler_bindings: tuple[SchedulerBinding, ...], schedule_trace: ScheduleTrace) -> Verdicts:
    """The rate was set by hand after the scheduler was built, and stays there.

    What it does: compares the rate that the scheduler last set with the rate that the optimizer has.
    Why it costs accuracy: schedulers such as MultiStepLR multiply the rate they find. One line such as
    `group["lr"] = 0.01` after building them, meant as a warm-up, keeps the whole run at a tenth of the rate.
    Remedy: set the rate before the scheduler is built, or warm up with LinearLR inside a SequentialLR.
    Thresholds: 1 % between the two rates, and a simulated peak that misses the scheduler's base rate by as much.
    Measured: no measurement yet.
    """
    for binding in scheduler_bindings:
        if not binding.bound or binding.expected is None or binding.actual is None:
            continue
        off = abs(binding.actual - binding.expected) > 0.01 * abs(binding.expected)
        base = binding.base or binding.expected
        if off and abs(schedule_trace.peak - base) > 0.01 * base:
            yield warning(
                f"{binding.scheduler} was built for a rate of {base:g}, but the optimizer's was set to {binding.actual:g} "
                f"by hand afterwards; the scheduler multiplies what it finds, so the run peaks at {schedule_trace.peak:g}.",
                "Warm up in the schedule itself: SequentialLR(optimizer, [LinearLR(optimizer, start_factor=0.1, "
                "total_iters=1), <your scheduler>], milestones=[1]).",
                where=("optimizer.param_groups[0].lr", "scheduler"),
                base=base,
                actual=binding.actual,
            )


@check("schedule.rate_reloaded", explains=("lr.too_low", "decay.too_weak", "schedule.*"))
def rate_reloaded(loop_trace: LoopTrace, schedule_trace: ScheduleTrace, *, most: float = 0.1) -> Verdicts:
    """A loaded optimizer state brought back the rate of an earlier run, and a new schedule starts over that.

    What it does: compares the rate that the optimizer was built with, the one after load_state_dict(), and the peak of the schedule.
    Why it costs accuracy: optimizer.load_state_dict() overwrites the rate that the script asks for by the one at which the earlier run ended, which its
    schedule had brought down to next to nothing.
    Remedy: load the scheduler's state as well where the run goes on; else set group["lr"] after loading, or load the model alone.
    Thresholds: the peak is a tenth or less of the rate that the optimizer was built with. Left out are runs that go on (the scheduler's
    state is loaded, too, or it is told the last epoch), and those without a scheduler or with one that waits for a metric.
    Measured: no measurement; arithmetic.
    """
    seen = loop_trace.reloaded
    if seen is None or schedule_trace.peak > most * seen.built or seen.loaded > most * seen.built:
        return
    yield warning(
        f"The optimizer is built for a rate of {seen.built:g}, load_state_dict() brings back {seen.loaded:.2g}, and a new schedule starts from that: "
        f"the run peaks at {schedule_trace.peak:.2g}.",
        f'for group in optimizer.param_groups: group["lr"] = {seen.built:g}  # after load_state_dict(), before the scheduler is built; or '
        "scheduler.load_state_dict(...), too, where the earlier run goes on",
        where=seen.where,
        built=seen.built,
        loaded=seen.loaded,
    )


@check("schedule.wrong_optimizer", explains=("schedule.*",))
def wrong_optimizer(scheduler_bindings: tuple[SchedulerBinding, ...]) -> Verdicts:
    """The scheduler drives another optimizer than the one that trains.

    What it does: compares the scheduler's optimizer with the training's, by identity.
    Why it costs accuracy: the training's rate never changes. It happens when the optimizer is created anew after the
    scheduler (a loaded checkpoint, unfrozen layers).
    Remedy: build the scheduler after, and with, the final optimizer.
    Thresholds: none; identity (a wrapper such as SAM shares its groups and counts as the same). Where another scheduler
    drives the training's optimizer, as with the two optimizers of a GAN of which the config names one: info.
    Measured: no measurement yet.
    """
    say = info if any(b.bound for b in scheduler_bindings) else critical
    for binding in scheduler_bindings:
        if not binding.bound:
            yield say(
                f"{binding.scheduler} is bound to another optimizer than the training's: the training's rate "
                f"{'is not its business' if say is info else 'never changes'}.",
                "Build the scheduler after the optimizer, and with it: scheduler = "
                f"{binding.scheduler}(optimizer, ...).",
                where="scheduler.optimizer",
            )
        else:
            yield Note(f"{binding.scheduler} drives the training's optimizer")


@check("schedule.twins", explains=("schedule.*", "loop.scheduler_twice"))
def equal_schedulers(loop_trace: LoopTrace) -> Verdicts:
    """Two equal schedulers drive one optimizer.

    What it does: compares the kinds and the settings of the schedulers that a watched loop steps.
    Why it costs accuracy: the rate of that optimizer decays twice, and the one that the second scheduler was meant for, such as
    that of a GAN's critic, never.
    Remedy: each scheduler with its own optimizer.
    Thresholds: none; the same class, settings, optimizer, and number of steps. Schedulers of functions are not compared.
    Measured: no measurement yet.
    """
    twins = loop_trace.twins
    if twins is not None:
        rest = (
            f", and {twins.others} other optimizer{'s have' if twins.others > 1 else ' has'} none"
            if twins.others
            else ""
        )
        yield warning(
            f"Two {twins.name} of the same settings drive one optimizer{rest}: its rate decays twice.",
            f"{twins.name}(other_optimizer, ...) for the second one, or leave it out",
            where="scheduler.optimizer",
            others=twins.others,
        )


@check(
    "schedule.step_unit",
    explains=(
        "schedule.never_decays",
        "schedule.decays_too_early",
        "schedule.ends_high",
        "schedule.restarts_at_end",
        "schedule.warmup_stuck",
        "decay.too_weak",
    ),
)
def step_unit(schedule_trace: ScheduleTrace) -> Verdicts:
    """The schedule counts epochs where it is called per step, or the reverse.

    What it does: compares the end that the scheduler was built for (T_max, total_steps, the last milestone) with the
    number of times it will be called, and finds that the two agree in the other unit; or the scheduler raises
    because it is called more often than it was built for.
    Why it costs accuracy: the rate never decays, or has decayed within the first epochs.
    Remedy: the right number for this run, given in the finding.
    Thresholds: a factor of 5 between end and calls, and agreement within a factor of 3 in the other unit.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    if fault_of(trace) is not Fault.STEP_UNIT:
        return
    if trace.error is not None:
        yield critical(
            f"{trace.error.rstrip('.')}, {_failed(trace)} of a run that needs {trace.calls} calls.",
            f"Build it for the run: {trace.calls} calls, that is epochs * len(train_loader) when called per step.",
            where="scheduler",
            failed_at=trace.failed_at,
        )
        return
    unit, other = ("epoch", "steps") if trace.interval == "epoch" else ("step", "epochs")
    yield warning(
        f"{trace.scheduler} ends at {trace.built_for}, which counts {other}, but it is called {rhythm(trace)}: "
        f"{trace.calls} calls in the run. The rate goes from {trace.initial:g} to {trace.final:g}.",
        f"Use {trace.calls} where it says {trace.built_for} (calls), or call scheduler.step() once per "
        f'{"step" if unit == "epoch" else "epoch"} and set scheduler_interval = "{"step" if unit == "epoch" else "epoch"}".',
        where="scheduler",
        horizon=trace.horizon,
        calls=trace.calls,
    )


@check("schedule.zero_rate", explains=("lr.too_low", "schedule.*", "loss.not_learning", "decay.too_weak"))
def zero_rate(schedule_trace: ScheduleTrace, *, most: float = 0.3) -> Verdicts:
    """The learning rate is zero or negative for part of the run.

    What it does: simulates the run and counts intervals without a positive rate.
    Why it costs accuracy: a rate of zero learns nothing; a negative one climbs.
    Remedy: a positive rate; let a decay end at the run's end.
    Thresholds: more than 30 % of the run at zero (a schedule that ends at zero, or starts from it, has one interval).
    Measured: no measurement yet.
    """
    rates = schedule_trace.rates
    zero, negative = sum(r == 0 for r in rates), sum(r < 0 for r in rates)
    if negative or zero > most * len(rates) or schedule_trace.peak <= 0:
        word = "negative" if negative else "zero"
        yield critical(
            f"The learning rate is {word} in {negative or zero} of {len(rates)} {schedule_trace.interval}s of the run.",
            "Give the optimizer a positive lr and let the schedule end no earlier than the run.",
            where=("optimizer.param_groups[0].lr", "scheduler"),
            zero=zero,
            negative=negative,
        )


def _failed(trace: ScheduleTrace) -> str:
    return f"at call {trace.failed_at}" if trace.each == 1 else f"in {trace.interval} {trace.failed_at}"


@check("schedule.plateau_mode", explains=("schedule.*",), references=(PLATEAU,))
def plateau_mode(loop_trace: LoopTrace) -> Verdicts:
    """ReduceLROnPlateau waits for its metric to move the wrong way.

    What it does: compares the number that the scheduler is stepped with with the accuracy and the losses of the last pass, as they
    were counted, and the scheduler's mode with what that is.
    Why it costs accuracy: every epoch in which the training gets better counts as one without improvement: the rate is cut each
    `patience` epochs until nothing is learned any more.
    Remedy: mode="max" for an accuracy, mode="min" (the default) for a loss.
    Thresholds: within a thousandth of a counted accuracy or of a mean or sum of the losses, of one of both only, at every call.
    Measured: no measurement yet.
    """
    for seen in loop_trace.schedulers:
        right = {"accuracy": "max", "loss": "min"}.get(seen.told)
        if right is None or not seen.mode:
            continue
        if seen.mode == right:
            yield Note(f"{seen.name} waits for the {seen.told} with mode={right}")
            continue
        yield critical(
            f"{seen.name} is stepped with the {seen.told} under mode={seen.mode}: it cuts the rate because the training gets better.",
            f'mode="{right}"',
            where="scheduler",
        )


CHECKS = (plateau_mode, overridden, rate_reloaded, wrong_optimizer, equal_schedulers, step_unit, zero_rate)
