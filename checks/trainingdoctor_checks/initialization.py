"""Initialization: compared with the same architecture under standard initializations, not with fixed bands.

A healthy ResNet-110 starts at a loss of 6 to 7 and its early gradients are ten times the late ones; a fixed band would
call that a fault.
"""

from __future__ import annotations

from math import log
from statistics import median
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.one_step import OneStep
    from trainingdoctor.measure.origins import Origin
    from trainingdoctor.measure.parameter_step import ParameterStep
    from trainingdoctor.measure.reference_init import ReferenceInit

HE = "He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852"
GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"
STARTS_BADLY = ("lr.*", "loss.not_learning", "loss.diverges", "loss.nonfinite", "loop.nonfinite", "model.ignores_input")
RESET = "for m in model.modules():\n    if isinstance(m, (nn.Conv2d, nn.Linear)):\n        nn.init.kaiming_normal_(m.weight)"


@check("init.constant", cost="probe", explains=("init.*", *STARTS_BADLY), references=(GLOROT,))
def constant(one_step: OneStep) -> Verdicts:
    """All weights of a layer are equal.

    What it does: looks for trainable matrices and kernels with a single value.
    Why it costs accuracy: the units of such a layer compute the same and get the same gradient: the layer has one unit.
    Remedy: nn.init.kaiming_normal_(weight).
    Thresholds: exact equality; zeros are init.zero's.
    Measured: no measurement yet.
    """
    found = [p for p in one_step.weights if p.constant and p.weight > 0]
    if found:
        yield critical(
            f"{len(found)} of {len(one_step.weights)} weight tensors hold a single value each: their units cannot become different.",
            RESET,
            where=tuple(p.name for p in found),
            tensors=len(found),
        )


@check("init.zero", cost="probe", explains=("init.*", *STARTS_BADLY), references=(GLOROT,))
def zero(one_step: OneStep) -> Verdicts:
    """Weights are zero and get no gradient either.

    What it does: looks for zero matrices and kernels whose gradient in a real step is zero too.
    Why it costs accuracy: they can never leave zero. A zero layer that does get a gradient (the last of a residual
    branch, a zero head, LoRA) is a known good start and left out.
    Remedy: nn.init.kaiming_normal_(weight).
    Thresholds: exact zeros on both sides. Behind another zero that does get a gradient (a zero head, as in Fixup and in
    torchvision's ViT) nothing gets one in the first step and all do in the next: left out, unless every weight is zero.
    Measured: no measurement yet.
    """
    stuck = [p for p in one_step.weights if p.weight == 0 and not p.gradient]
    waits = _starts_blocked(one_step) and any(p.weight for p in one_step.weights)
    if stuck and not waits:
        yield critical(
            f"{len(stuck)} of {len(one_step.weights)} weight tensors are zero and their gradient is zero: they will stay so.",
            RESET,
            where=tuple(p.name for p in stuck),
            tensors=len(stuck),
        )


@check("init.identical_units", cost="probe", explains=STARTS_BADLY, references=(GLOROT,))
def identical_units(one_step: OneStep, *, most: float = 0.3) -> Verdicts:
    """Units of a layer are copies of each other, in weight and in gradient.

    What it does: counts the rows of each weight that repeat an earlier row, gradient included.
    Why it costs accuracy: copies stay copies; the layer is narrower than it looks.
    Remedy: initialize with random numbers; do not tile or repeat weights.
    Thresholds: 30 % of the rows; dead units, whose gradients are all zero, have different weights and do not count.
    Measured: no measurement yet.
    """
    found = [p for p in one_step.weights if p.duplicate_rows > most and not p.constant]
    if found:
        worst = max(found, key=lambda p: p.duplicate_rows)
        yield warning(
            f"In {len(found)} layers units repeat each other, in {worst.name} {worst.duplicate_rows:.0%} of them.",
            RESET,
            where=tuple(p.name for p in found),
            share=worst.duplicate_rows,
        )


@check(
    "init.scale",
    cost="probe",
    explains=(
        "init.gradient_flow",
        "init.logits_scale",
        "init.dead_relu",
        "model.saturated_activation",
        *STARTS_BADLY,
    ),
    references=(HE,),
)
def scale(
    reference_init: ReferenceInit,
    architecture: Architecture,
    origins: tuple[Origin, ...],
    *,
    typical: float = 5.0,
    extreme: float = 30.0,
    share: float = 0.2,
) -> Verdicts:
    """The signal is far larger or smaller than this architecture's standard initialization makes it.

    What it does: one forward pass of the model and of two copies initialized anew, by reset_parameters() and by
    Kaiming's rule; compares the standard deviation of each convolution's and linear layer's output with the nearer one.
    Why it costs accuracy: without normalization the signal explodes or vanishes with depth; with it, weights n times
    too large learn at a rate n squared times too small.
    Remedy: nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu").
    Thresholds: a median ratio above 5, or a fifth of the layers off by more than 30 times. Measured: 30 healthy nets
    (torchvision's, ViT, Fixup, SELU, Xavier, orthogonal, SIREN, half-trained) have a median of at most 1.1 and single
    layers of up to 1.9; N(0, 1) has 7 in a small MLP, 12 in a ResNet-20, over 100 in nets without normalization.
    Pretrained weights (half of the layers) are left out: CREPE's are at 28 to 113, and trained.
    Measured: no measurement yet.
    """
    ratios = reference_init.scale_ratios()
    if len(ratios) < 2 or _is_pretrained(origins):
        return
    high = [n for n, r in ratios.items() if r > extreme]
    low = [n for n, r in ratios.items() if r < 1 / extreme]
    middle = median(ratios.values())
    if middle > typical or len(high) > share * len(ratios):
        unbounded = not architecture.normalizations and len(high) > len(ratios) / 2
        say = critical if unbounded or reference_init.own.first_nonfinite else warning
        yield say(
            f"Layer outputs are {middle:.3g} times as large as under the standard initialization (median of {len(ratios)} layers, up to "
            f"{max(ratios.values()):.3g} times).",
            RESET,
            where=tuple(high) or max(ratios, key=ratios.__getitem__),
            median=middle,
            largest=max(ratios.values()),
        )
    elif len(low) > share * len(ratios) and not architecture.normalizations:
        yield warning(
            f"The signal vanishes: {len(low)} of {len(ratios)} layers put out less than 1/{extreme:.0f} of what they do under the standard "
            f"initialization (down to {min(ratios.values()):.1e}).",
            RESET,
            where=tuple(low),
            median=middle,
            smallest=min(ratios.values()),
        )
    else:
        yield Note(f"outputs {middle:.2g} times the standard initialization's")


def _is_pretrained(origins: tuple[Origin, ...]) -> bool:
    """Whether half of the layers that can be told carry trained weights: their scale is no initialization."""
    told = [o for o in origins if o.spread is not None]
    return bool(told) and 2 * sum(o.weights_moved for o in told) >= len(told)


def _slope(step: OneStep) -> float | None:
    """Largest relative gradient in the first quarter of the weights over that in the last; None for shallow or silent nets.

    The largest, because branches that start almost silent (LayerScale, ReZero) get hardly any at either end, nor do
    queries and keys that stand apart: three weights at least, so that the values are among them. Without the very last,
    the head: where it is small it gets much for its size and passes little on, and has grown after some steps.
    """
    relative = [(p.gradient or 0.0) / p.weight for p in step.weights if p.weight > 0 and p.gradient is not None]
    moving = [r for r in relative if r > 0]
    if len(relative) < 6 or len(moving) < len(relative) / 2:
        return None
    body = moving[:-1]
    quarter = len(body) // 4
    return max(body[: max(3, quarter)]) / max(body[-max(2, quarter) :])


@check("init.gradient_flow", cost="probe", explains=("init.dead_relu", *STARTS_BADLY), references=(GLOROT, HE))
def gradient_flow(reference_init: ReferenceInit, *, factor: float = 3e3, absolute: float = 5e-4) -> Verdicts:
    """Gradients vanish or explode on their way to the first layers.

    What it does: compares the gradient relative to the weight in the first quarter of the layers with the last
    quarter (without the head), and with the same architecture under two standard initializations (PyTorch's and Kaiming's).
    Why it costs accuracy: the first layers do not learn, or their steps are noise.
    Remedy: normalization, residual connections, ReLU in place of sigmoid, Kaiming initialization.
    Thresholds: 3,000 times away from the better reference and worse than it, or below 5e-4 whatever the
    references do. A healthy ResNet-110 has ten times larger gradients early: that is normal. Measured on nets of width 16 to
    128, and on MLPs of width 64 that were trained as well: BERT, RoBERTa and DistilBERT of transformers, whose weights of
    deviation 0.02 are small for such widths, 1.5e-3 to 4e-2 (7e-4 of the better reference and more), GPT-2 and ViT 0.14 to 1.0; MLPs that learned, 1e-2 (ten ReLU
    layers, PyTorch's initialization) and more, with a head of deviation 1e-4 to 1e-2, too; ten sigmoid layers 6e-6 to 9e-6, eight 2e-4 to 4e-4,
    twenty of tanh 3e-4 to 5e-4, twenty of ReLU 1e-6: all four learned nothing with SGD.
    Measured: no measurement yet.
    """
    own = _slope(reference_init.own)
    if own is None:
        return
    slopes = [s for r in reference_init.references if (s := _slope(r))]
    reference = min(slopes, key=lambda s: abs(log(s))) if slopes else None
    off = reference is not None and not 1 / factor <= own / reference <= factor and abs(log(own)) > abs(log(reference))
    if own < absolute or off:
        word = "vanish" if own < 1 else "explode"
        than = f"; under the standard initialization it is {reference:.2g}" if reference else ""
        yield warning(
            f"Gradients {word} with depth: relative to the weights the first layers get {own:.1e} of what the last ones get{than}.",
            f"{RESET}\nand ReLU with BatchNorm (or residual connections) in place of stacked sigmoid or tanh layers",
            where=tuple(p.name for p in reference_init.own.weights[:2]),
            ratio=own,
            reference=reference,
        )
    else:
        yield Note(f"early over late gradients: {own:.2g}")


@check(
    "init.dead_relu",
    cost="probe",
    explains=STARTS_BADLY,
    references=("Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733",),
)
def dead_relu(reference_init: ReferenceInit, *, most: float = 0.5) -> Verdicts:
    """More than half of the units of a layer fire for no sample.

    What it does: counts the units whose weights get a gradient of exactly zero from 16 samples, and compares with the
    same architecture under its standard initialization.
    Why it costs accuracy: a unit that never fires gets no gradient and stays dead.
    Remedy: zero biases, Kaiming initialization, a lower rate if it happens during training.
    Thresholds: half of a layer's units (the line most tools draw), and twice the reference's share.
    Measured: no measurement yet.
    """
    reference: dict[str, float] = {}
    for parameter in (p for r in reference_init.references for p in r.weights):
        reference[parameter.name] = max(parameter.zero_rows, reference.get(parameter.name, 0.0))
    own = reference_init.own
    dead = [p for p in own.weights[:-1] if _dead(p, reference.get(p.name, 0.0), most, _starts_blocked(own))]
    if dead:
        worst = max(dead, key=lambda p: p.zero_rows)
        yield warning(
            f"{len(dead)} layers have mostly dead units: in {worst.name} {worst.zero_rows:.0%} get no gradient from any of "
            f"{reference_init.own.batch_size} samples.",
            f"{RESET}\n        nn.init.zeros_(m.bias)",
            where=tuple(p.name for p in dead),
            share=worst.zero_rows,
        )


def _starts_blocked(step: OneStep) -> bool:
    """Whether a scale, a residual branch's last layer or the head starts at zero and learns from there.

    What lies before it gets no gradient in the first step, and is not dead (Goyal et al. 2017, zero gamma; Fixup;
    ReZero).
    """
    return any(p.weight == 0 and p.gradient and not p.name.endswith("bias") for p in step.parameters)


def _dead(parameter: ParameterStep, reference: float, most: float, blocked: bool) -> bool:
    whole = parameter.zero_rows >= 1
    return parameter.gradient is not None and parameter.zero_rows > max(most, 2 * reference) and not (whole and blocked)


@check("init.logits_scale", cost="probe", explains=STARTS_BADLY)
def logits_scale(reference_init: ReferenceInit, *, times: float = 5.0, loss: float = 3.0) -> Verdicts:
    """The outputs are so large at the start that the softmax is saturated.

    What it does: compares the standard deviation of the logits, and the loss, with the same architecture under its
    standard initialization.
    Why it costs accuracy: saturated samples give gradients of one size whatever the error; the first epochs unlearn
    the start.
    Remedy: no factor on the logits; a smaller initialization of the last layer.
    Thresholds: logits 5 times and a loss 3 times those of the larger reference (fault bench: 0.2 to 3.2 times the smaller one
    in healthy trainings; a head times 100 has 6.6 and 5.1 times in an MLP). There is no fixed band: a healthy ResNet-110
    starts at a loss of 6 to 7, not at ln 10.
    Measured: no measurement yet.
    """
    own = reference_init.own
    reference = max(reference_init.references, key=lambda r: r.logits_std or 0.0)
    if own.logits_std is None or not reference.logits_std:
        return
    ratio = own.logits_std / reference.logits_std
    if ratio > times and own.loss > loss * reference.loss:
        yield warning(
            f"The logits spread by {own.logits_std:.3g} at the start, {ratio:.0f} times the standard initialization's, and the loss is {own.loss:.3g} "
            f"instead of {reference.loss:.3g}.",
            "Remove the factor on the logits, or shrink the last layer: model.fc.weight.data.div_(10)",
            where="model",
            ratio=ratio,
            loss=own.loss,
        )
    else:
        yield Note(f"loss {own.loss:.3g} at the start, {reference.loss:.3g} under the standard initialization")


CHECKS = (constant, zero, identical_units, scale, gradient_flow, dead_relu, logits_scale)
