"""Half precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.precision import HalfRange, LostUpdates, PrecisionPlan
    from trainingdoctor.measure.pretraining import Pretraining

MICIKEVICIUS = "Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740"
SCALER = "scaler = torch.amp.GradScaler(); scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()"
LARGEST = 65504.0


@check("precision.no_scaler", cost="probe", references=(f"{MICIKEVICIUS}, section 3.2 and figure 3",))
def no_scaler(precision_plan: PrecisionPlan, half_range: HalfRange, *, hint: float = 0.01) -> Verdicts:
    """Gradients vanish in float16 unless the loss is scaled.

    What it does: runs a forward and backward pass in float32 and counts the gradients that are too small for float16.
    Whether the training loop scales its loss cannot be seen in a config: the finding says how much depends on it.
    Why it costs accuracy: what float16 turns into zero does not train the layers below.
    Remedy: torch.amp.GradScaler, or bfloat16, which needs none.
    Thresholds: 1 % of the non-zero gradients of activations; an info, because most loops have a scaler, and tuned
    recipes train in float16 without one.
    Measured: no measurement yet.
    """
    share = half_range.vanishing
    if share > hint:
        yield info(
            f"In float16 {share:.0%} of the gradients are too small and become zero unless the loss is scaled; a config does not show "
            "whether your loop has a GradScaler.",
            f"{SCALER}; or amp = torch.bfloat16",
            where="amp" if precision_plan.amp == "float16" else "model",
            vanishing=share,
        )
    else:
        yield Note(f"{share:.1%} of the gradients are too small for float16")


@check(
    "precision.fp16_overflow",
    cost="probe",
    explains=("loss.nonfinite", "loop.nonfinite", "loss.diverges", "training.raises"),
    references=(f"{MICIKEVICIUS}, section 3",),
)
def fp16_overflow(half_range: HalfRange, precision_plan: PrecisionPlan, *, hint: float = 0.1) -> Verdicts:
    """Activations leave the range of float16.

    What it does: runs the model in float32 and compares the largest activation with 65504, float16's largest number.
    Why it costs accuracy: beyond it there is only infinity, and then NaN in every weight. Scaling the loss does not
    help, because it scales gradients.
    Remedy: bfloat16, which has float32's range; or normalized inputs and a normalization before the module.
    Thresholds: above 65504 warns; above a tenth of it, which training may multiply, informs.
    Measured: no measurement; arithmetic.
    """
    r = half_range
    if r.largest > hint * LARGEST:
        say = warning if r.largest > LARGEST else info
        yield say(
            f"{r.module} gives values up to {r.largest:.3g}; float16 ends at {LARGEST:.0f}.",
            "amp = torch.bfloat16" if precision_plan.amp else "model.bfloat16(), or float32 weights with autocast",
            where=r.module,
            largest=r.largest,
        )
    else:
        yield Note(f"activations up to {r.largest:.3g}")


@check(
    "precision.dtype",
    cost="probe",
    explains=("lr.too_low", "loss.not_learning", "loss.nonfinite", "loop.nonfinite", "loss.diverges", "init.*"),
    references=(
        f"{MICIKEVICIUS}, section 3.1: a master copy of the weights in float32",
        "Zamirai et al. 2020, Revisiting BFloat16 Training, arXiv:2010.06192, section 3",
    ),
)
def dtype(
    lost_updates: LostUpdates,
    precision_plan: PrecisionPlan,
    pretraining: Pretraining,
    *,
    most: float = 0.75,
    hint: float = 0.25,
    statistics: float = 0.5,
    statistics_hint: float = 0.004,
) -> Verdicts:
    """Weights or running statistics in half precision round their updates away.

    What it does: makes one real step at the peak rate and counts the weights that have a gradient and stay as they
    are, and those that become NaN or infinite; and computes how near BatchNorm's half-precision running statistics can
    get to the data's, where an update is momentum times the distance.
    Why it costs accuracy: a change of less than half the distance between two half-precision numbers (1/2048 of the
    number in float16, 1/256 in bfloat16) is lost, and so is Adam's eps of 1e-8 in float16, which leaves 0 / 0.
    Remedy: weights in float32, with autocast for the speed; BatchNorm layers in float32.
    Thresholds: any weight that is no number after the step is critical; three quarters of the updates lost at the highest
    rate of the run warn (inform in fine-tuning), a quarter informs: tuned recipes with high rates train float16 weights
    without loss. Statistics that stand still at an error of half their value warn, of 0.4 % inform (float16 at momentum 0.1).
    Measured: a CNN of three convolutions on 8,000 images of CIFAR-10 (16x16, 6 epochs, 2 seeds), all in bfloat16 against
    float32: with 6 % of the updates lost it reaches 58.3 % (57.9), with 47 % 54.7 % (54.8), with 92 % 36.1 % (42.6).
    """
    u = lost_updates
    fix = "model.float(), and amp = True (autocast) for the speed"
    if u.nonfinite > 0:
        eps = f" (eps={precision_plan.eps:g} is zero in float16)" if (precision_plan.eps or 1) < 6e-8 else ""
        yield critical(
            f"One step of {precision_plan.optimizer} on {u.dtype} weights turns {u.nonfinite:.0%} of them into NaN or infinity{eps}.",
            fix,
            where="model",
            nonfinite=u.nonfinite,
        )
    elif u.lost > hint:
        say = warning if u.lost > most and not pretraining.done else info
        yield say(
            f"{u.lost:.0%} of the {u.dtype} weights that have a gradient are unchanged by a step at the peak rate: the updates are rounded away.",
            fix,
            where="model",
            lost=u.lost,
        )
    else:
        yield Note(f"{u.lost:.1%} of the updates of {u.dtype} weights are rounded away")
    error = _stands_still(precision_plan)
    if error > statistics_hint:
        say = warning if error >= statistics else info
        yield say(
            f"BatchNorm's running statistics are {precision_plan.statistics}: with momentum {precision_plan.momentum:g} they stand still up to "
            f"{error:.1%} from the data's.",
            "for m in model.modules():\n    if isinstance(m, nn.modules.batchnorm._BatchNorm):\n        m.float()",
            where="model",
            error=error,
        )


def _stands_still(plan: PrecisionPlan) -> float:
    """Relative distance under which momentum times the distance is rounded away."""
    if plan.statistics is None or not plan.momentum:
        return 0.0
    return (2.0**-11 if plan.statistics == "float16" else 2.0**-8) / plan.momentum


CHECKS = (no_scaler, fp16_overflow, dtype)
