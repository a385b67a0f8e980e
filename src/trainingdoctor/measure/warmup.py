"""The first steps at the full rate, and the same with a warm-up where they do harm."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.channels_last import faster
from trainingdoctor.measure.restore import seed_everything
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.measure.small_batches import small_batches
from trainingdoctor.measure.steps import training_step
from trainingdoctor.measure.trials import RateTrials


@dataclass(frozen=True)
class Warmup:
    """Losses of the trial at the peak rate from the first step on, and of one whose rate rises over a third of the steps.

    cold_end, warm_end: mean loss of the last quarter, infinity where it diverged; warm_end is None where the cold trial
    did no harm, so that none was needed.  spike: highest loss of the cold trial over the initial one.
    """

    steps: int
    peak: float
    initial: float
    chance: float | None
    cold_end: float
    spike: float
    warm_end: float | None

    @property
    def heals(self) -> bool:
        """Whether the cold trial diverges and the warm one learns."""
        if self.warm_end is None or math.isfinite(self.cold_end):
            return False
        return self.warm_end < 0.95 * min(self.initial, self.chance or self.initial)


@evidence(cost="train", optional=("amp", "grad_clip"))
def warmup(
    model: nn.Module,
    criterion: Callable[..., Any],
    optimizers: tuple[Any, ...],
    rate_trials: RateTrials,
    schedule_trace: ScheduleTrace,
    train_batches: tuple[Batch, ...],
    amp: Any,
    grad_clip: float | None,
) -> Warmup:
    """Judge the first steps by the trial at the peak rate; add a warmed one only where that trial diverges."""
    if schedule_trace.initial < 0.5 * schedule_trace.peak:
        raise Unavailable("the schedule begins with a warm-up")
    t = rate_trials
    warmed = None
    if t.own.diverged:
        losses = _warmed(model, criterion, optimizers, small_batches(train_batches), t, amp, grad_clip)
        tail = losses[-max(3, len(losses) // 4) :]
        warmed = sum(tail) / len(tail) if len(losses) == t.steps else math.inf
    spike = t.own.worst / abs(t.initial) if t.initial else 0.0
    return Warmup(t.steps, t.peak, t.initial, t.chance, t.own.end, spike, warmed)


def _warmed(
    model: nn.Module,
    criterion: Callable[..., Any],
    optimizers: tuple[Any, ...],
    batches: tuple[Batch, ...],
    trials: RateTrials,
    amp: Any,
    grad_clip: float | None,
) -> list[float]:
    """Losses of steps at a rate that rises to that of the trials; cut off where they diverge."""
    groups = [g for o in optimizers for g in o.param_groups]
    leading = max(float(g["lr"]) for g in groups) or 1.0
    top = [float(g["lr"]) / leading * trials.peak * trials.scaling for g in groups]
    losses: list[float] = []
    with faster(model, batches[0]):
        seed_everything(0)
        set_mode(model, True)
        for step in range(trials.steps):
            ramp = min(1.0, (step + 1) / max(1, trials.steps // 3))
            for group, rate in zip(groups, top, strict=True):
                group["lr"] = rate * ramp
            loss = training_step(model, batches[step % len(batches)], criterion, optimizers, amp, grad_clip)
            if not math.isfinite(loss) or loss > 1e3 * max(abs(trials.initial), 1.0):
                break
            losses.append(loss)
    return losses
