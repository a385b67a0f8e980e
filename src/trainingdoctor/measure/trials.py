"""Short trainings from the initial state at several learning rates: the user's own optimizer, the same real batches."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.chance import chance_loss
from trainingdoctor.measure.channels_last import faster
from trainingdoctor.measure.peak import unscheduled_peak
from trainingdoctor.measure.rate_search import LEARNS_WELL, LITTLE, Trial, end_of, explored, prolonged, shot
from trainingdoctor.measure.restore import restored, seed_everything
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.measure.small_batches import SAMPLES, WHOLE, is_whole, small_batches
from trainingdoctor.measure.steps import training_step
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.training import Training

# Fewer steps say nothing about a deep net, whose loss first falls from its high start.
LEAST_STEPS = 24


@dataclass(frozen=True)
class RateTrials:
    """Trials at multiples of the schedule's peak rate on batches of `batch_size`.

    The rate is scaled down with the batch (linear scaling, Goyal et al. 2017), so that the gradient noise is that of
    the user's batch: factor 1 is the user's peak in that sense; not where that is the whole training set, which has no
    such noise.  chance: the loss of predicting nothing: the entropy
    of the drawn targets for classification, else None.  initial: loss before training.
    """

    trials: tuple[Trial, ...]
    peak: float
    scaling: float
    batch_size: int
    user_batch_size: int
    steps: int
    initial: float
    chance: float | None
    warmup: bool
    momentum: float
    adaptive: bool
    optimizer: str = ""
    epsilon: float | None = None

    def at(self, factor: float) -> Trial | None:
        """The trial at that multiple of the user's rate."""
        return next((t for t in self.trials if math.isclose(t.factor, factor)), None)

    @property
    def own(self) -> Trial:
        """The trial at the user's rate."""
        return next(t for t in self.trials if math.isclose(t.factor, 1.0))

    def shot(self, trial: Trial) -> float:
        """How far the loss of that trial shot up, from the first loss and the chance level."""
        return shot(trial, self.initial, self.chance)

    @property
    def stable(self) -> tuple[float, float] | None:
        """Lowest and highest of the neighbouring tried rates, in the user's batches, that learned and never shot up.

        Learned: a loss a twentieth lower at the end than at the start; shot up: above twice the start. None without any.
        """
        ordered = sorted(self.trials, key=lambda t: t.factor)
        fine = [self._is_fine(t) for t in ordered]
        first = next((i for i, good in enumerate(fine) if good), None)
        if first is None:
            return None
        last = next((i for i in range(first, len(fine)) if not fine[i]), len(fine)) - 1
        return self.peak * ordered[first].factor, self.peak * ordered[last].factor

    def _is_fine(self, trial: Trial) -> bool:
        start = abs(self.initial)
        return not trial.diverged and trial.worst <= 2 * start and self.initial - trial.end >= LITTLE * start


@evidence(cost="train", optional=("train_loader", "schedule_trace", "amp", "grad_clip", "loop_trace"))
def rate_trials(
    model: nn.Module,
    criterion: Callable[..., Any],
    optimizer: Any,
    optimizers: tuple[Any, ...],
    parameter_groups: Any,
    train_batches: tuple[Batch, ...],
    batch_size: Any,
    train_loader: Any,
    schedule_trace: ScheduleTrace | None,
    amp: Any,
    grad_clip: float | None,
    loop_trace: LoopTrace | None,
    *,
    seconds: float = 32.0,
    most_steps: int = 60,
) -> RateTrials:
    """Train from the initial state at the user's peak rate, at lower rates if it does badly, at higher ones if not.

    `seconds` of this thread are shared by the trials: the number of steps follows from a timed step. After twice that, as
    for a deep net, no further rate is tried.
    """
    started = time.thread_time()
    leading, first = parameter_groups[schedule_trace.group if schedule_trace else 0], parameter_groups[0]
    peak = _peak(schedule_trace, first, optimizers[0], loop_trace)
    whole = is_whole(train_batches, train_loader)
    batches = small_batches(train_batches, WHOLE if whole else SAMPLES)
    share = 1.0 if whole else min(1.0, batches[0].size / max(batch_size.samples, 1))
    scaling = share ** (0.5 if first.adaptive else 1.0)
    chance = chance_loss(batches, criterion)
    momentum = schedule_trace.momentum if schedule_trace else leading.any_momentum
    run = _Runner(
        training=Training(model=model, criterion=criterion, optimizer=optimizer),
        batches=batches,
        optimizers=optimizers,
        amp=amp,
        grad_clip=grad_clip,
        base=scaling * peak / leading.lr if leading.lr else 1.0,
        enough=-math.inf if chance is None else LEARNS_WELL * chance,
        momentum=(leading.any_momentum, momentum),
        peak=scaling * peak,
        warm=(schedule_trace.initial if schedule_trace else leading.lr) < 0.5 * peak,
    )
    initial, per_step = run.timed()
    steps = int(max(LEAST_STEPS, min(most_steps, seconds / 3 / max(per_step, 1e-4))))
    trials = explored(
        lambda f, times, again: run.trial(f, steps * times, initial, again),
        initial,
        chance,
        lambda: time.thread_time() - started > 2 * seconds,
    )
    if 6 * most_steps * per_step < seconds:
        trials = prolonged(trials, lambda f: run.trial(f, 3 * steps, initial, True), initial, chance)
    return RateTrials(
        trials=trials,
        peak=peak,
        scaling=scaling,
        batch_size=batches[0].size,
        user_batch_size=batch_size.samples,
        steps=steps,
        initial=initial,
        chance=chance,
        warmup=run.warm,
        momentum=momentum or 0.0,
        adaptive=first.adaptive,
        optimizer=first.optimizer,
        epsilon=first.eps,
    )


def _peak(schedule_trace: ScheduleTrace | None, first: Any, optimizer: Any, loop_trace: LoopTrace | None) -> float:
    """The highest rate of the whole run. Raises Unavailable where it is 0."""
    peak = schedule_trace.peak if schedule_trace else 0.0
    if not peak > 0:
        peak = unscheduled_peak(first, float(getattr(optimizer, "defaults", {}).get("lr") or 0.0), loop_trace)
    if not peak > 0:
        raise Unavailable(f"the learning rate is {peak:g}: there is nothing to try")
    return peak


@dataclass(frozen=True)
class _Runner:
    """Runs trials; every one starts from, and leaves, the state that it found.

    base: what the optimizer's rates are multiplied by to be at the peak of these batches.  enough: the loss at which the user's rate has
    learned enough.  momentum: as it stands, and as it is at the peak rate.  peak: the rate of factor 1.  warm: whether the user warms up.
    """

    training: Training
    batches: tuple[Batch, ...]
    optimizers: tuple[Any, ...]
    amp: Any
    grad_clip: float | None
    base: float
    enough: float
    momentum: tuple[float | None, float | None]
    peak: float
    warm: bool

    def timed(self) -> tuple[float, float]:
        """The loss before training, and the seconds of a step (the first is slow and does not count)."""
        with self._fresh() as model:
            initial = self._step(model, 0)
            seconds = []
            for step in (1, 2):
                # This thread's own time: on a loaded machine the number of steps, and with it the verdict, stays the same.
                started = time.thread_time()
                self._step(model, step)
                seconds.append(time.thread_time() - started)
            return initial, min(seconds)

    def trial(self, factor: float, steps: int, initial: float, again: bool) -> Trial:
        """Train `steps` steps at `factor` times the scaled peak, over a warm-up of a third of them if the user has one.

        again: with the batches in reverse order.  The user's own rate stops when it has learned enough.
        """
        losses: list[float] = []
        rates = [[g["lr"] for g in o.param_groups] for o in self.optimizers]
        with self._fresh() as model:
            for step in range(steps):
                ramp = min(1.0, (step + 1) / max(1, steps // 3)) if self.warm else 1.0
                self._set(rates, self.base * factor * ramp)
                losses.append(self._step(model, -1 - step if again else step))
                if not math.isfinite(losses[-1]) or losses[-1] > 1e3 * max(abs(initial), 1.0):
                    return Trial(factor, self.peak * factor, tuple(losses), True)
                if factor == 1 and len(losses) >= LEAST_STEPS and end_of(losses) < self.enough:
                    break
        return Trial(factor, self.peak * factor, tuple(losses), False)

    @contextmanager
    def _fresh(self) -> Iterator[nn.Module]:
        model = self.training.model
        assert model is not None
        with restored(self.training), faster(model, self.batches[0]):
            seed_everything(0)
            set_mode(model, True)
            yield model

    def _step(self, model: nn.Module, step: int) -> float:
        batch = self.batches[step % len(self.batches)]
        return training_step(
            model, batch, self.training.criterion or _no_criterion, self.optimizers, self.amp, self.grad_clip
        )

    def _set(self, rates: list[list[float]], factor: float) -> None:
        now, at_peak = self.momentum
        for optimizer, own in zip(self.optimizers, rates, strict=True):
            for group, rate in zip(optimizer.param_groups, own, strict=True):
                group["lr"] = rate * factor
                if at_peak is not None and now != at_peak:
                    _set_momentum(group, now, at_peak)


def _set_momentum(group: dict[str, Any], now: float | None, then: float) -> None:
    if group.get("momentum") == now:
        group["momentum"] = then
    elif "betas" in group and group["betas"][0] == now:
        group["betas"] = (then, *group["betas"][1:])


def _no_criterion(*_: Any) -> Tensor:
    raise Unavailable("there is no criterion")
