"""One schedule, at most one fault: the most specific description of a simulated schedule."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.measure.schedule import ScheduleTrace


# Two drops by ten end there, and products of floats a little above.
HUNDREDTH = 0.0101


class Fault(StrEnum):
    """What is wrong with a schedule, most specific first."""

    NONE = "none"
    STEP_UNIT = "step_unit"
    MISSING = "missing"
    WARMUP_STUCK = "warmup_stuck"
    NEVER_DECAYS = "never_decays"
    RESTARTS_AT_END = "restarts_at_end"
    ENDS_HIGH = "ends_high"
    DECAYS_TOO_EARLY = "decays_too_early"


def fault_of(trace: ScheduleTrace) -> Fault:
    """Name the fault of a schedule. None has one that waits for a metric (ReduceLROnPlateau), one that ends in weight
    averaging, and a run of under three calls.
    """
    if trace.error is not None or _other_unit(trace):
        return Fault.STEP_UNIT
    if trace.adaptive or trace.averages or trace.peak <= 0:
        return Fault.NONE
    if trace.scheduler is None:
        return Fault.MISSING
    if len(trace.rates) < 3:
        return Fault.NONE
    return _shape(trace)


def _shape(trace: ScheduleTrace) -> Fault:
    low = min(trace.after_peak)
    if not trace.constant and trace.peak_position > 0.95 and trace.initial < 0.9 * trace.final:
        return Fault.WARMUP_STUCK
    if trace.final > 0.95 * trace.peak and low > 0.5 * trace.peak:
        return Fault.NEVER_DECAYS
    if low < 0.1 * trace.peak and trace.final > max(3 * low, 0.1 * trace.peak):
        return Fault.RESTARTS_AT_END
    if trace.final > 0.2 * trace.peak:
        return Fault.ENDS_HIGH
    early = trace.share_below(0.01) > 0.3 or trace.share_below(HUNDREDTH) > 0.8
    return Fault.DECAYS_TOO_EARLY if early else Fault.NONE


def _other_unit(trace: ScheduleTrace) -> bool:
    """Whether the scheduler's own end fits the run in the other unit and not in its own."""
    if trace.horizon is None or trace.steps_per_epoch is None or trace.steps_per_epoch < 5:
        return False
    calls = len(trace.rates)
    if trace.interval == "epoch":
        in_steps = trace.horizon / (trace.epochs * trace.steps_per_epoch)
        return trace.horizon > 5 * calls and 1 / 3 < in_steps < 3
    decays = trace.final < 0.5 * trace.peak or min(trace.rates) < 0.5 * trace.peak
    return trace.horizon * 5 < calls and 1 / 3 < trace.horizon / trace.epochs < 3 and decays and not _warmup_only(trace)


def _warmup_only(trace: ScheduleTrace) -> bool:
    """A short warm-up after which the rate stays up is no decay that came too early."""
    return (
        trace.final >= 0.95 * trace.peak
        and trace.initial < trace.final
        and trace.rates.count(trace.final) > 0.8 * len(trace.rates)
    )


def needs_decay(
    trace: ScheduleTrace, groups: tuple[Group, ...], architecture: Architecture, long_run: int, convolutions: int
) -> bool:
    """Whether this is a kind of training whose published recipes all let the rate come down: SGD on a convolutional net
    for many epochs. Adaptive optimizers, MLPs, recurrent nets and short runs are healthy at a constant rate too.
    """
    leading = groups[trace.group] if trace.group < len(groups) else groups[0]
    own_way = leading.adaptive or leading.averages_itself
    return not own_way and trace.epochs >= long_run and architecture.convolutions >= convolutions


def span(trace: ScheduleTrace) -> str:
    """The run's length for people."""
    return (
        f"{trace.epochs} epochs" if trace.interval == "epoch" else f"{len(trace.rates)} steps ({trace.epochs} epochs)"
    )


def rhythm(trace: ScheduleTrace) -> str:
    """How often the scheduler is called, for people."""
    return f"{'once' if trace.each == 1 else f'{trace.each} times'} per {trace.interval}"
