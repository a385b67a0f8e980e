"""The learning-rate schedule, judged by simulating every step of the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info, warning
from trainingdoctor_checks._schedule_faults import HUNDREDTH, Fault, fault_of, needs_decay, rhythm, span

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.measure.schedule import ScheduleTrace

HE = "He et al. 2015, arXiv:1512.03385, section 4.2 and figure 6"
SGDR = "Loshchilov & Hutter 2017, arXiv:1608.03983"


@check("schedule.missing", references=(HE,))
def missing(
    schedule_trace: ScheduleTrace,
    parameter_groups: tuple[Group, ...],
    architecture: Architecture,
    *,
    long_run: int = 30,
    convolutions: int = 4,
) -> Verdicts:
    """The learning rate stays the same to the end.

    What it does: simulates the run and finds no scheduler and one constant rate.
    Why it costs accuracy: at a constant rate SGD keeps bouncing at the height that the rate's noise sets; the drop of
    the rate is where the published CIFAR curves gain most of their last ten points (He et al. 2015, figure 6).
    Remedy: a schedule that ends near zero, such as CosineAnnealingLR(optimizer, T_max=epochs).
    Thresholds: warns for SGD on a net with 4 convolutions or more over 30 epochs and more. Elsewhere a constant rate is
    part of well-known trainings (Adam in tutorials and in DCGAN, SGD at 30 in AWD-LSTM): info. Optimizers that average
    the weights or find their own rate (LBFGS, ASGD, schedule-free) need no schedule.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    leading = parameter_groups[trace.group] if trace.group < len(parameter_groups) else parameter_groups[0]
    if fault_of(trace) is not Fault.MISSING or leading.averages_itself:
        yield Note(f"the rate goes from {trace.initial:g} over {trace.peak:g} to {trace.final:g}")
        return
    say = warning if needs_decay(trace, parameter_groups, architecture, long_run, convolutions) else info
    yield say(
        f"The learning rate is {trace.peak:g} in all {trace.epochs} epochs: there is no scheduler.",
        f"scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max={trace.epochs})  "
        "# and scheduler.step() once per epoch",
        where=trace.place,
        confidence=0.9,
        rate=trace.peak,
        epochs=trace.epochs,
    )


@check("schedule.never_decays", explains=("schedule.ends_high",), references=(HE,))
def never_decays(
    schedule_trace: ScheduleTrace,
    parameter_groups: tuple[Group, ...],
    architecture: Architecture,
    *,
    long_run: int = 30,
    convolutions: int = 4,
) -> Verdicts:
    """There is a scheduler, but the rate never comes down within the run.

    What it does: simulates the run; the rate in the last interval is still the peak although a scheduler is there,
    because its milestones or its step size lie beyond the last epoch.
    Why it costs accuracy: as no schedule at all.
    Remedy: milestones at about 50 % and 75 % of the epochs, or T_max equal to the epochs.
    Thresholds: the rate at the end within 5 % of the peak. Warns for schedulers that were built to decay (milestones or
    a step size beyond the end) and where schedule.missing warns; a warm-up to a constant rate, as in fine-tuning with
    AdamW, informs, and so does a milestone at the very end, which is how some scripts say how long a short run is.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    if fault_of(trace) is Fault.NEVER_DECAYS:
        late = trace.horizon is not None and trace.horizon > len(trace.rates)
        beyond = f"; its end lies at {trace.horizon}" if late else ""
        meant = late or ("StepLR" in (trace.scheduler or "") and trace.horizon != len(trace.rates))
        say = warning if meant or needs_decay(trace, parameter_groups, architecture, long_run, convolutions) else info
        yield say(
            f"{trace.scheduler} leaves the rate at {trace.final:g} to the end: it makes {span(trace)}{beyond}.",
            _milestones(trace),
            where=trace.place,
            peak=trace.peak,
            final=trace.final,
            horizon=trace.horizon,
        )


@check("schedule.decays_too_early", explains=("decay.too_weak",), references=(SGDR,))
def decays_too_early(
    schedule_trace: ScheduleTrace, *, most: float = 0.6, hint: float = 0.45, at_hundredth: float = 0.85
) -> Verdicts:
    """For most of the run the learning rate is too small to learn anything.

    What it does: simulates the run and counts the share of it that lies after the peak and below 1 % of the peak.
    Why it costs accuracy: the training stands still long before it ends.
    Remedy: move the milestones, or set gamma so that the end of the run reaches about 1 % of the peak.
    Thresholds: shares of the run below 1 % of the peak. Cosine and one-cycle schedules spend 6 % there, three drops
    by ten at a quarter each 25 %, EfficientNet's 0.97 per 2.4 epochs 0 %; `most` warns, `hint` informs. What stays at 1 % after
    two drops by ten counts from `at_hundredth` on.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    if fault_of(trace) is not Fault.DECAYS_TOO_EARLY:
        return
    share, low = trace.share_below(0.01), trace.share_below(HUNDREDTH)
    where = "below" if low <= at_hundredth else "at most"
    share = share if low <= at_hundredth else low
    if share <= hint:
        return
    say = warning if share > most else info
    gone = 1 - share
    yield say(
        f"The rate is {where} 1 % of its peak {trace.peak:g} for {share:.0%} of the run: after {gone:.0%} of it "
        f"({_place(trace, gone)}) hardly anything is learned.",
        _milestones(trace),
        where=trace.place,
        share_below_one_percent=share,
        final=trace.final,
    )


@check("schedule.ends_high", references=(SGDR,))
def ends_high(
    schedule_trace: ScheduleTrace,
    parameter_groups: tuple[Group, ...],
    architecture: Architecture,
    *,
    most: float = 0.5,
    hint: float = 0.2,
    long_run: int = 30,
    convolutions: int = 4,
) -> Verdicts:
    """The last epochs run at a high learning rate.

    What it does: simulates the run and compares the last rate with the peak.
    Why it costs accuracy: the gain of a schedule comes in its low end; a cosine that is cut off never gets there.
    Remedy: let the schedule end with the run: T_max or total_steps equal to the run's length.
    Thresholds: final over peak. 0.5 warns, 0.2 informs (one drop by ten ends at 0.1, an inverse square root at about
    0.2), and nothing warns where a constant rate would not (see schedule.missing). A cosine or linear decay that is
    cut short warns from 0.2 in any training, because it was built to reach its end.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    if fault_of(trace) is not Fault.ENDS_HIGH:
        return
    share = trace.final / trace.peak
    cut = trace.horizon is not None and trace.horizon > 1.1 * len(trace.rates)
    if share > hint:
        high = share > most and needs_decay(trace, parameter_groups, architecture, long_run, convolutions)
        say = warning if high or cut else info
        ending = f", and is cut off: it is built for {trace.horizon}" if cut else ""
        yield say(
            f"{trace.scheduler} ends at {trace.final:g}, {share:.0%} of the peak {trace.peak:g}, after {span(trace)}{ending}.",
            f"Make it end with the run: T_max={trace.calls} for a cosine, or another drop at {int(0.8 * trace.calls)}{_counted(trace)}.",
            where=trace.place,
            final_over_peak=share,
        )


@check("schedule.restarts_at_end", references=(SGDR,))
def restarts_at_end(schedule_trace: ScheduleTrace) -> Verdicts:
    """The rate has come down and climbs again when the run ends.

    What it does: simulates the run; after a minimum below a tenth of the peak the rate rises to more than three times
    that minimum and more than a tenth of the peak at the last step (a cosine called beyond T_max, a restart too late).
    Why it costs accuracy: the weights that are kept are those of a high rate.
    Remedy: T_max equal to the number of calls, or restarts whose last cycle ends with the run.
    Thresholds: a tenth of the peak, as the usual last drop.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    if fault_of(trace) is Fault.RESTARTS_AT_END:
        low = min(trace.after_peak)
        yield warning(
            f"The rate has fallen to {low:g} and is back at {trace.final:g} ({trace.final / trace.peak:.0%} of the peak) "
            f"when the run ends after {span(trace)}.",
            f"T_max={trace.calls} (now {trace.built_for}), so that the schedule ends with the run{_counted(trace)}.",
            where=trace.place,
            lowest=low,
            final=trace.final,
            horizon=trace.horizon,
        )


@check("schedule.warmup_stuck", explains=("schedule.never_decays", "schedule.ends_high", "lr.too_low"))
def warmup_stuck(schedule_trace: ScheduleTrace, *, low: float = 0.5) -> Verdicts:
    """The warm-up never ends.

    What it does: simulates the run; the rate is still rising, or only then at its peak, when the run ends.
    Why it costs accuracy: the training never gets the rate that it was given, and never a decay.
    Remedy: end the warm-up after about 5 % of the run and let a decay follow (SequentialLR).
    Thresholds: the first rate below half of the last one, and the peak in the last 5 % of the run.
    Measured: no measurement yet.
    """
    trace = schedule_trace
    if fault_of(trace) is Fault.WARMUP_STUCK and trace.initial < low * trace.final:
        warm = max(1, trace.calls // 20)
        yield warning(
            f"The rate rises from {trace.initial:g} to {trace.final:g} and the run is over ({span(trace)}): "
            "the warm-up never ends.",
            f"Warm up for {warm} calls, then decay: SequentialLR(optimizer, [LinearLR(...), "
            f"CosineAnnealingLR(optimizer, T_max={trace.calls - warm})], milestones=[{warm}]).",
            where=trace.place,
            initial=trace.initial,
            final=trace.final,
        )


def _place(trace: ScheduleTrace, share: float) -> str:
    return f"epoch {int(share * trace.epochs)} of {trace.epochs}"


def _milestones(trace: ScheduleTrace) -> str:
    calls = trace.calls
    return (
        f"milestones=[{calls // 2}, {calls * 3 // 4}] for MultiStepLR, or CosineAnnealingLR(optimizer, T_max={calls}); "
        f"it is called {rhythm(trace)}."
    )


def _counted(trace: ScheduleTrace) -> str:
    """Where T_max is not the run's length as people count it."""
    return "" if trace.each == 1 else f"; it is called {rhythm(trace)}"


CHECKS = (
    missing,
    never_decays,
    decays_too_early,
    ends_high,
    restarts_at_end,
    warmup_stuck,
)
