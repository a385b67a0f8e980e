"""Symptoms of a training that does not learn; other checks name the cause."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.measure.overfit import Overfit
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.measure.trials import RateTrials

HOWARD = (
    "Howard & Ruder 2018, Universal Language Model Fine-tuning for Text Classification, arXiv:1801.06146, section 3.2"
)
KARPATHY = "Karpathy 2019, A Recipe for Training Neural Networks: overfit a single batch"


@check("loss.not_learning", cost="train", references=(KARPATHY,))
def not_learning(overfit: Overfit, *, least: float = 0.1, right: float = 0.5, steps: int = 40) -> Verdicts:
    """The model cannot learn one small batch by heart.

    What it does: trains on 32 fixed samples with Adam at 1e-3, whatever the user's optimizer; a small net that hardly learns at
    that is tried at 0.03 as well, because a few large weights need larger steps. A loss that cannot come down to 0, as that of
    soft targets (pixels, smoothed labels), is measured by what outputs that are free bring it down to, from what one output
    for all samples does.
    Why it costs accuracy: what cannot learn 32 samples cannot learn 50,000: a cut graph, dead units, a loss that does
    not see the outputs.
    Remedy: the root cause that the report names; without one, look for .detach(), argmax, or a wrong variable between
    model and loss.
    Thresholds: under 10 % of the loss gone and under half of the samples right, in all 150 steps, or in 40 of a model with
    normalization that took its time: VGG-16 without it, which learns, needs more than 50 (measured). A net without
    normalization that has many tokens to learn first learns how frequent each is: an LSTM on characters is no further
    than that after 150 steps, and learns. Nothing is said there once the loss is down at what the frequencies give.
    Measured: no measurement yet.
    """
    o = overfit
    poor = o.accuracy is None or o.accuracy < right
    enough = o.whole or (o.normalized and len(o.losses) >= steps)
    frequencies = (
        o.rows and not o.normalized and o.chance is not None and o.best < min(1.02 * o.chance, 0.9 * o.losses[0])
    )
    if o.progress < least and poor and (frequencies or not enough):
        yield Note(
            f"time was up after {len(o.losses)} steps, too few to tell whether {o.samples} samples can be learned"
        )
    elif o.progress < least and poor:
        said = "" if o.accuracy is None else f", {o.accuracy:.0%} of them right"
        yield critical(
            f"{len(o.losses)} steps on {o.samples} samples take the loss from {o.losses[0]:.3g} to {o.best:.3g}{said}: the model cannot learn even these.",
            "Follow the loss back to the weights: print grad norms after backward(); look for detach(), argmax(), frozen or dead layers.",
            where="model",
            losses=o.losses[:: max(1, len(o.losses) // 20)],
        )
    else:
        said = "" if o.accuracy is None else f", {o.accuracy:.0%} right"
        yield Note(f"{o.samples} samples: loss {o.losses[0]:.3g} to {o.best:.3g} in {len(o.losses)} steps{said}")


@check("loss.nonfinite", cost="probe", explains=("loop.nonfinite", "loss.diverges", "loss.not_learning"))
def nonfinite(one_step: OneStep) -> Verdicts:
    """The loss is NaN or infinite at the first step.

    What it does: makes one real step and names the first module whose output is not finite, or the first parameter
    whose gradient or update is not.
    Why it costs accuracy: after one such step every weight is NaN.
    Remedy: look at the inputs of the module that is named: a division, a logarithm, a root, half precision.
    Thresholds: none.
    Measured: no measurement yet.
    """
    if not math.isfinite(one_step.loss) or one_step.first_nonfinite:
        if first := one_step.first_nonfinite:
            place, source = first, f"{first} is the first module whose output is not finite."
        elif not one_step.output_finite:
            place, source = "model", "all its modules' outputs are finite, so it is what its forward does with them."
        else:
            place, source = "criterion", "the model's output is finite, so it is the criterion."
        yield critical(
            f"The first loss is {one_step.loss:g}; {source}",
            "Look at what goes into it: a division by zero, log or sqrt of zero, an overflow of half precision.",
            where=place,
        )
    elif sick := [p.name for p in one_step.parameters if not math.isfinite((p.gradient or 0.0) + (p.update or 0.0))]:
        yield critical(
            f"The first loss is {one_step.loss:g}, but the gradient or the update of {len(sick)} of {len(one_step.parameters)} parameters is not finite.",
            "Look at the backward of custom functions, at hooks on gradients, and at what the optimizer divides by.",
            where=sick[0],
        )
    else:
        yield Note(f"first loss {one_step.loss:.3g}, all outputs finite")


@check("loss.diverges", cost="train")
def diverges(rate_trials: RateTrials) -> Verdicts:
    """The loss explodes at the user's rate and at far lower ones.

    What it does: short trainings at the peak rate, a tenth and a hundredth of it.
    Why it costs accuracy: if even a hundredth diverges it is not the rate.
    Remedy: initialization, input scale, the sign or reduction of the loss.
    Thresholds: NaN, or a thousand times the first loss, at all three.
    Measured: no measurement yet.
    """
    lower = [t for t in rate_trials.trials if t.factor <= 1]
    if all(t.diverged for t in lower):
        yield critical(
            f"The loss diverges within {len(lower[-1].losses)} steps even at {rate_trials.peak * lower[-1].factor:.2g}, "
            f"{lower[-1].factor:g} times the peak rate.",
            "Not the rate: look at the inputs' scale, the initialization, and the sign of the loss.",
            where="criterion",
        )


@check("clip.too_small", cost="probe", references=("Pascanu et al. 2013, arXiv:1211.5063, section 3.2",))
def clip_too_small(one_step: OneStep, grad_clip: float, *, most: float = 1000.0, hint: float = 50.0) -> Verdicts:
    """Gradient clipping cuts every step to a small part.

    What it does: compares the gradient's norm in a real step with the limit.
    Why it costs accuracy: if nearly every step is cut, the limit is the learning rate.
    Remedy: a limit of about the usual norm, in the finding.
    Thresholds: a norm above 50 times the limit informs, above 1000 times warns; the first steps of a healthy net are
    often above the limit.
    Measured: no measurement yet.
    """
    norm = one_step.gradient_norm
    if norm > hint * grad_clip:
        say = warning if norm > most * grad_clip else info
        yield say(
            f"The gradient's norm is {norm:.3g} in the first step, {norm / grad_clip:.0f} times the limit {grad_clip:g}.",
            f"grad_clip={max(1.0, norm / 10):.1g}, or none",
            where="grad_clip",
            norm=norm,
        )
    else:
        yield Note(f"norm {norm:.3g}, limit {grad_clip:g}")


@check(
    "lr.group_too_low",
    explains=("lr.too_low", "lr.update_ratio", "model.frozen", "decay.too_weak"),
    references=(HOWARD,),
)
def group_too_low(
    parameter_groups: tuple[Group, ...],
    pretraining: Pretraining,
    *,
    apart: float = 1000.0,
    share: float = 0.5,
    sgd: float = 1e-4,
    adaptive: float = 1e-6,
) -> Verdicts:
    """Most of an untrained model learns at a thousandth of the rate of the rest.

    What it does: compares the rates of the optimizer's parameter groups, and the weights in each.
    Why it costs accuracy: a rate for a pretrained body, under 1e-4 for SGD, leaves a fresh one at its random start: only the head learns.
    Remedy: one rate for all, or a body that was trained before.
    Thresholds: a group with half of all weights or more at a thousandth of the highest rate, and at 1e-4 or less for SGD, 1e-6 for Adam and its like.
    Rates of 0 are left out (layers that a script unfreezes later), and so are models that were trained before, or whose normalization layers
    cannot tell. Rates by layer stay within a factor of some tens.
    Measured: no measurement yet.
    """
    groups = [g for g in parameter_groups if g.weights and g.base_lr > 0]
    if pretraining.done or not pretraining.layers or len(groups) < 2:
        return
    highest, weights = max(g.base_lr for g in groups), sum(g.weights for g in groups)
    low = [g for g in groups if g.base_lr * apart <= highest and g.base_lr <= (adaptive if g.adaptive else sgd)]
    held = sum(g.weights for g in low)
    if held >= share * weights:
        yield warning(
            f"{held:,} of {weights:,} weights learn at a rate of {low[0].base_lr:g}, the rest at up to {highest:g}, and the model was not trained before: "
            "most of it stays at its random start.",
            f"lr={highest:g} for all groups; a low rate for the body is for pretrained weights",
            where=tuple(f"{g.place}.lr" for g in low),
            rate=low[0].base_lr,
            highest=highest,
        )
    else:
        yield Note(f"rates from {min(g.base_lr for g in groups):g} to {highest:g}")


CHECKS = (not_learning, nonfinite, diverges, clip_too_small, group_too_low)
