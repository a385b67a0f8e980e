"""The learning rate, judged by short trainings from the initial state, not by its number alone."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any

from trainingdoctor import Note, Verdicts, check, critical, info, warning
from trainingdoctor_checks._rates import (
    ADAMS,
    CEILINGS,
    below_floor,
    beyond_ceiling,
    has_batchnorm,
    is_classic,
    is_usual,
    optimizer_name,
    published_rate,
    remedy,
    scaled,
    usable_rate,
)

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.measure.rate_search import Trial
    from trainingdoctor.measure.trials import RateTrials

GOYAL = "Goyal et al. 2017, arXiv:1706.02677, section 2.1 (linear scaling)"
PLACE = "optimizer.param_groups[0].lr"
SMITH = "Smith & Topin 2018, Super-Convergence, arXiv:1708.07120"


@check(
    "lr.too_high",
    cost="train",
    explains=("loss.diverges", "loss.nonfinite", "loop.nonfinite", "lr.update_ratio", "decay.too_strong"),
    references=(GOYAL, SMITH),
)
def too_high(
    rate_trials: RateTrials,
    architecture: Architecture,
    *,
    stuck: float = 0.95,
    learns: float = 0.88,
    spike: float = 6.0,
    published: float = 0.9,
    long: int = 40,
    least_batch: int = 32,
) -> Verdicts:
    """The learning rate is beyond what this model can follow.

    What it does: trains some dozens of steps from the initial state at the schedule's peak rate (with a warm-up if
    there is one), and at a tenth of it (a hundredth where that does badly too), with the user's optimizer on real
    batches. The rate is scaled to the smaller
    batch of the trial, so that the gradient noise is that of the run.
    Why it costs accuracy: the loss stays where it was, climbs, or becomes NaN, while a tenth of the rate learns.
    Remedy: the rate in the finding, or a warm-up. It is the highest that learned of a few rates, each a tenth of the one before,
    so the limit lies between it and the next; where published recipes have another one for such nets, that is named, too.
    Thresholds: diverged (NaN, or a thousand times the start) is critical. Else: still at 95 % of the chance level or
    above where a tenth of the rate is below 88 %, in trials of at least 40 steps; or a loss that shot up to six times
    the geometric mean of the start and chance where a lower rate stays under three times, or a third of that. Measured: ResNet-20 on CIFAR-10, 60 steps of 32, loss at the end
    (chance is 2.30): rate 0.1 gives 1.80, 0.2 2.09, 0.5 2.24, 1.0 2.27, 3.0 2.35; ResNet-110, 28 steps, two tries from each of
    six initial states: 2.3 to 4.0 times at 0.1, 4.5 to 10.6 at 0.2, 7.1 to 16.4 at 0.5. After 120 steps, as a share of chance: VGG-BN 0.84 at
    0.05 and 0.99 at 0.5, ResNet-20 0.66 at 0.1, 0.90 at 0.5, 1.00 at 1.0. Short trials overstate the usable rate, so
    a rate twice above every published recipe for BatchNorm nets (0.9 at batch 128 with momentum 0.9; super-convergence
    uses 0.4) warns too, except at batches under 32, where gradients are usually accumulated, which a config does not
    show. So does Adam beyond 0.03 where a lower rate ends 5 % lower (published: 1e-4 to 1e-2; a WideResNet-16-2 at 0.1
    ends at 2.11 after 94 steps, at 0.001 at 1.71 after 47), and in deep nets with BatchNorm, where so few steps tell no rate
    from another, without that; RMSprop there likewise, unless its epsilon is above 1e-5.
    Measured: no measurement on the reference run yet.
    """
    t = rate_trials
    tenth = t.at(0.1)
    unpublished = scaled(t) > published and not t.adaptive and t.user_batch_size >= least_batch
    beyond = unpublished and is_classic(t, architecture)
    said = None if tenth is None else _compared(t, tenth, stuck if t.steps >= long else math.inf, learns, spike)
    if said is not None:
        say = critical if t.own.diverged else warning
        message, confidence = said
        yield say(message, remedy(t, learns, architecture), where=PLACE, confidence=confidence, **_numbers(t))
    elif beyond and not t.own.diverged:
        yield warning(
            f"The peak rate {t.peak:g} with momentum {t.momentum:g} at batch {t.user_batch_size} is {scaled(t) / 0.1:.0f} times the classic 0.1 at 128, above every "
            "published recipe for such nets.",
            f"lr={published_rate(t):.2g}: 0.1 at batch 128 with momentum 0.9, in proportion to the batch and to 1 - momentum",
            where=PLACE,
            confidence=0.7,
            **_numbers(t),
        )
    elif beyond_ceiling(t) and has_batchnorm(architecture) and not t.own.diverged:
        yield warning(
            f"{t.optimizer} at {t.peak:g}, batch {t.user_batch_size}, is beyond every published recipe for such nets (at most {CEILINGS[optimizer_name(t)]:g} at 128).",
            "lr=1e-3",
            where=PLACE,
            confidence=0.7,
            **_numbers(t),
        )
    else:
        few = "" if t.steps >= long else "; in so few steps a rate that only gets stuck cannot be told"
        yield Note(f"peak rate {t.peak:g}: loss {t.own.end:.3g} after {t.steps} steps, from {t.initial:.3g}{few}")


def _compared(t: RateTrials, tenth: Trial, stuck: float, learns: float, spike: float) -> tuple[str, float] | None:
    """What the trial at the user's rate does that lower ones do not, and with what confidence; None when nothing."""
    own, peak = t.own, f"the peak rate {t.peak:g}"
    if own.diverged:
        usable = usable_rate(t, learns)
        went = f"from {t.initial:.3g} to {own.losses[-1]:.3g} within {len(own.losses)} steps"
        return (f"At {peak} the loss goes {went}; at {usable:.2g} it does not.", 0.9) if usable < t.peak else None
    lower = min((x for x in t.trials if x.factor < 1), key=lambda x: x.end)
    if t.chance is not None and own.end > stuck * t.chance and lower.end < learns * t.chance:
        part = "a tenth" if lower.factor > 0.05 else "a hundredth"
        return (
            f"After {len(own.losses)} steps at {peak} the loss is {own.end:.3g} (chance is {t.chance:.3g}), at {part} of it {lower.end:.3g}.",
            0.9,
        )
    if t.optimizer in ADAMS and beyond_ceiling(t) and lower.end < 0.95 * own.end:
        return (
            f"{t.optimizer} at {t.peak:g} is beyond every published recipe, and after {len(own.losses)} steps the loss is {own.end:.3g}, at "
            f"{t.peak * lower.factor:.2g} {lower.end:.3g}.",
            0.9,
        )
    if t.chance is None and own.end > t.initial and tenth.end < 0.7 * t.initial:
        return (
            f"After {len(own.losses)} steps at {peak} the loss went from {t.initial:.3g} up to {own.end:.3g}, at a tenth of it down to {tenth.end:.3g}.",
            0.9,
        )
    calm = min((x for x in t.trials if x.factor < 1), key=t.shot)
    if t.shot(own) > spike and t.shot(calm) < max(spike / 2, t.shot(own) / 3):
        twice = f" (another time {own.other:.3g})" if own.other is not None else ""
        return (
            f"At {peak} the loss shoots from {t.initial:.3g} up to {max(own.losses):.3g}{twice} within {t.steps} steps; at {t.peak * calm.factor:.2g} the highest is {calm.worst:.3g}.",
            0.75,
        )
    return None


def _numbers(trials: RateTrials) -> dict[str, Any]:
    return {
        "peak": trials.peak,
        "initial": trials.initial,
        "chance": trials.chance,
        "steps": trials.steps,
        "loss_by_factor": {f"{t.factor:g}": t.end for t in trials.trials},
    }


@check(
    "lr.too_low",
    cost="train",
    explains=("decay.too_weak",),
    references=("Smith 2017, Cyclical Learning Rates, arXiv:1506.01186, section 3.3",),
)
def too_low(
    rate_trials: RateTrials,
    pretraining: Pretraining,
    architecture: Architecture,
    *,
    share: float = 0.1,
    nothing: float = 0.03,
    published: float = 3e-4,
) -> Verdicts:
    """The learning rate is far below the useful range.

    What it does: trains some dozens of steps from the initial state at the schedule's peak rate, and at 10, 100, ...
    times it while these do better; three times as long where the highest of them only begins to learn.
    Why it costs accuracy: the run ends before the net has learned what it could.
    Remedy: the rate in the finding.
    Thresholds: progress counts below the chance level (for other losses: below the first loss), because a deep net
    first falls to it at any rate. At a rate a hundred times higher it is 10 times (warning) or 30 times (critical) what
    the user's rate makes in the same steps. Small nets under Adam at its default 1e-3 make a third to a half of what
    0.1 makes in 60 steps (fault bench: regression, multi_label), and are healthy: from an optimizer's default on (SGD: 0.1 over
    1 - momentum) it is an info. In fine-tuning a low rate is meant,
    and a new head makes a hundred times more look better for some dozens of steps: info. A ResNet-110 falls to the chance level
    only, in so few steps, at any rate: there SGD under 3e-4 at batch 128 with momentum 0.9 warns, a 300th of what
    nets with BatchNorm are trained with from scratch, and likewise Adam under 2e-6 and Adagrad under 1e-4. (A ResNet-20 trained before,
    with a new head and AdamW at 1e-5: 2.31 to 2.22 in 27 steps, to 1.59 at 1e-3.)
    Measured: no measurement yet.
    """
    t = rate_trials
    if t.own.diverged:
        return
    higher = [x for x in t.trials if x.factor >= 100 and not x.diverged]
    best = min(higher, key=lambda x: x.end, default=t.own)
    made, possible = _progress(t.own, t), _progress(best, t)
    if possible > 0.05 * abs(t.initial) and made < share * possible:
        say = info if pretraining.done or is_usual(t) else critical if made < nothing * possible else warning
        yield say(
            f"{len(best.losses)} steps at the peak rate {t.peak:g} take the loss from {t.initial:.3g} to {t.own.end:.3g}; at {t.peak * best.factor:.2g} they take it to {best.end:.3g}.",
            f"lr={t.peak * best.factor:.2g}",
            where=PLACE,
            **_numbers(t),
        )
    elif below_floor(t, published) and has_batchnorm(architecture) and not pretraining.done:
        yield warning(
            f"The peak rate {t.peak:g} of {t.optimizer} at batch {t.user_batch_size} is far below every published recipe for training such nets from scratch.",
            "lr=1e-3" if t.adaptive else "lr=0.1 at batch 128, in proportion to the batch",
            where=PLACE,
            confidence=0.7,
            **_numbers(t),
        )


def _progress(trial: Trial, trials: RateTrials) -> float:
    from trainingdoctor.measure.rate_search import gained

    return gained(trial, trials.initial, trials.chance)


@check(
    "lr.update_ratio",
    cost="probe",
    references=("Karpathy, CS231n notes, Neural Networks Part 3: updates of about 1e-3 of the weights",),
)
def update_ratio(one_step: OneStep, *, most: float = 0.3, least: float = 1e-7) -> Verdicts:
    """One step changes the weights by an unusual share.

    What it does: compares each weight's change in one real step with its size.
    Why it costs accuracy: a step that replaces a good part of the weights forgets; one that changes nothing does not
    learn.
    Remedy: see lr.too_high and lr.too_low, which measure the effect.
    Thresholds: a median above 0.3 or below 1e-7; an info only, because the first step of a warm-up or of a normalized
    net is no steady state.
    Measured: no measurement yet.
    """
    ratios = [p.update for p in one_step.weights if p.update is not None and p.gradient]
    if not ratios:
        return
    middle = median(ratios)
    if not least <= middle <= most:
        yield info(
            f"The first step changes the weights by {middle:.1e} of their size (median of {len(ratios)} tensors).",
            "A lower rate or a warm-up." if middle > most else "A higher rate.",
            where="optimizer.param_groups[0].lr",
            median=middle,
        )
    else:
        yield Note(f"the first step changes the weights by {middle:.1e} of their size")


CHECKS = (too_high, too_low, update_ratio)
