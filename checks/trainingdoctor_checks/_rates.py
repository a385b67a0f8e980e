"""Learning rates that are usual or published, and those that trials leave."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.rate_search import Trial
    from trainingdoctor.measure.trials import RateTrials

ADAMS = ("Adam", "AdamW", "NAdam", "RAdam")
# From scratch, convolutions with BatchNorm, batches of 128. Published for Adam: 1e-4 to 1e-2; for Adagrad 1e-2 (torch's default).
CEILINGS = {"Adam": 0.03, "RMSprop": 0.03}
FLOORS = {"Adam": 2e-6, "RMSprop": 2e-6, "Adagrad": 1e-4}
# What is usual, and never far too low whatever some dozens of steps say: torch's defaults; for SGD over 1 - momentum (He et al. 2015,
# section 4.2, is at 1), for Adadelta, whose first steps are tiny at any rate, PyTorch's mnist_rnn example.
USUAL = {"SGD": 0.1, "Adam": 1e-3, "RMSprop": 1e-3, "Adagrad": 1e-2, "Adadelta": 0.1}
# A published rate this many times below what the trials found is one for another training.
NEAR = 30.0
# Trials are a factor of ten apart: a published rate up to half way to the next one, which did badly, is as good as tried.
HALF_WAY = 10**0.5
# A rate this many times below the usual one is said to be.
FAR = 3.0


def remedy(t: RateTrials, learns: float, architecture: Architecture) -> str:
    """The rate to set first, then what it stands on: trials are a factor of ten apart, and few steps favour low rates."""
    warm = "" if t.warmup else "; or a warm-up of some hundred steps: LinearLR(optimizer, 0.1, total_iters=...)"
    best, published = usable_trial(t, learns), published_rate(t) if is_classic(t, architecture) else None
    usable = t.peak * best.factor
    near = published_near(t, usable, architecture)
    did = "learned" if has_learned(t, best, learns) else "did not diverge"
    tried = f"the highest rate tried below this run's that {did} within {t.steps} steps"
    if published is None or not published < 0.99 * t.peak:
        return f"lr={usable:.2g}, {tried}{_beside_usual(t, usable)}{warm}"
    known = f"published for such nets at batch {t.user_batch_size} and momentum {t.momentum:g}"
    if near is None and usable < published:
        return f"lr={usable:.2g}, {tried}; {published:.2g} is {known}, and so few steps favour low rates: try between the two{warm}"
    if near is None:
        return f"lr={usable:.2g}, {tried}; {published:.2g} is {known}{warm}"
    return f"lr={near:.2g}, {known}; {usable:.2g} is {tried}{warm}"


def published_near(t: RateTrials, usable: float, architecture: Architecture) -> float | None:
    """The published rate, where there is one for such nets, below the user's, and near enough to a rate that the trials left."""
    published = published_rate(t)
    below = is_classic(t, architecture) and published < 0.99 * t.peak
    return published if below and usable / NEAR <= published <= usable * HALF_WAY else None


def _beside_usual(t: RateTrials, rate: float) -> str:
    """That a rate is far below the optimizer's usual one, which speaks for another cause."""
    usual = usual_rate(t)
    if usual is None or rate >= usual / FAR:
        return ""
    return f"; the usual rate of {_in_words(t)} is {usual:.2g}, so look for another cause, too: the data's scale, the loss, the initialization"


def _in_words(t: RateTrials) -> str:
    return f"{t.optimizer} with momentum {t.momentum:g}" if t.optimizer == "SGD" else t.optimizer


def usual_rate(t: RateTrials) -> float | None:
    """The optimizer's usual rate, whatever the net; None where there is none."""
    rate = USUAL.get(optimizer_name(t))
    return rate if rate is None or t.optimizer != "SGD" else rate * max(1 - t.momentum, 1e-3)


def published_rate(trials: RateTrials) -> float:
    """The rate that convolutional nets with BatchNorm are trained at with SGD, for this batch and momentum.

    He et al. 2015, section 4.2: 0.1 with momentum 0.9 at batch 128, in proportion to the batch (Goyal et al. 2017).
    """
    return 0.1 * trials.user_batch_size / 128 * (1 - trials.momentum) / 0.1


def scaled(trials: RateTrials) -> float:
    """The rate as it would be with momentum 0.9 at batch 128."""
    return trials.peak / max(1 - trials.momentum, 1e-3) / 10 * 128 / trials.user_batch_size


def has_learned(trials: RateTrials, trial: Trial, learns: float) -> bool:
    """Whether a trial's loss came under that share of chance."""
    return trials.chance is not None and trial.end < learns * trials.chance


def usable_trial(trials: RateTrials, learns: float) -> Trial:
    """That of the highest rate below the user's that learned, else that did not diverge; the user's own where none is left.

    Not the one that did best: some dozens of steps favour rates that are too low for a run.
    """
    below = [t for t in trials.trials if t.factor < 1 and not t.diverged]
    learned = [t for t in below if has_learned(trials, t, learns)]
    return max(learned or below, key=lambda t: t.factor, default=trials.own)


def usable_rate(trials: RateTrials, learns: float) -> float:
    """The rate of that trial, in the user's units."""
    return trials.peak * usable_trial(trials, learns).factor


def beyond_ceiling(t: RateTrials) -> bool:
    """Whether an adaptive optimizer runs at a rate that none does: its steps are as large as the rate itself.

    Large batches allow more; batches of one sequence, as small recurrent nets are trained with, do not ask for less.
    """
    return t.adaptive and t.peak * min(1.0, 128 / t.user_batch_size) ** 0.5 > CEILINGS.get(optimizer_name(t), math.inf)


def is_classic(t: RateTrials, architecture: Architecture) -> bool:
    """Convolutions with BatchNorm under SGD: what the published rates were found for."""
    return not t.adaptive and has_batchnorm(architecture)


def has_batchnorm(architecture: Architecture) -> bool:
    """Whether it is a deep convolutional net with BatchNorm."""
    return bool(architecture.batchnorms and architecture.is_deep_convolutional)


def below_floor(t: RateTrials, published: float) -> bool:
    """Whether the rate is under the floor of its optimizer."""
    return t.peak < FLOORS.get(optimizer_name(t), 0.0) if t.adaptive else scaled(t) < published


def is_usual(t: RateTrials) -> bool:
    """Whether the rate is at least the optimizer's usual one."""
    usual = usual_rate(t)
    return usual is not None and t.peak >= usual * 0.999


def optimizer_name(t: RateTrials) -> str:
    """Adam for its whole family; "" for RMSprop with a large epsilon, which takes larger rates (MobileNet: 0.045)."""
    if t.optimizer == "RMSprop" and (t.epsilon or 0.0) > 1e-5:
        return ""
    return "Adam" if t.optimizer in ADAMS else t.optimizer
