"""The model: outputs, sizes of feature maps, what trains, and what its outputs depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.criterion import CriterionKind
    from trainingdoctor.measure.layers import Architecture
    from trainingdoctor.measure.one_step import Activation, OneStep
    from trainingdoctor.measure.outputs import Outputs
    from trainingdoctor.measure.parameters import Trainable
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.measure.targets import Targets


@check("model.output_width", cost="probe", explains=("training.raises", "loss.*", "labels.*"))
def output_width(outputs: Outputs, targets: Targets, criterion_kind: CriterionKind) -> Verdicts:
    """The model has another number of outputs than there are classes.

    What it does: compares the width of a real prediction with the class indices in the data.
    Why it costs accuracy: too few outputs stop with an error (or a device assert); too many cost little.
    Remedy: the last layer with as many outputs as classes.
    Thresholds: fewer outputs than classes is critical; twice as many is an info. For criteria of classes alone: those of
    metric learning take classes of any number, and outputs that are none.
    Measured: no measurement yet.
    """
    if targets.kind != "indices" or outputs.width is None or not targets.counts:
        return
    if criterion_kind.kind not in ("cross_entropy", "nll"):
        return
    classes = len(targets.counts)
    if outputs.width < classes:
        yield critical(
            f"The model has {outputs.width} outputs, and the targets have {classes} classes.",
            f"Make the last layer nn.Linear(..., {classes}).",
            where="model",
            outputs=outputs.width,
            classes=classes,
        )
    elif outputs.width >= 2 * classes and targets.complete:
        yield info(
            f"The model has {outputs.width} outputs for {classes} classes.",
            f"nn.Linear(..., {classes}) as the last layer",
            where="model",
            outputs=outputs.width,
            classes=classes,
        )
    else:
        yield Note(f"{outputs.width} outputs, {classes} classes")


@check(
    "model.stem_too_coarse",
    cost="probe",
    explains=("lr.too_high",),
    references=("He et al. 2015, arXiv:1512.03385, table 6 against table 1",),
)
def stem_too_coarse(one_step: OneStep, *, largest_input: int = 64, most: float = 0.6, layers: int = 8) -> Verdicts:
    """The first layers shrink small images until nothing is left to look at.

    What it does: follows the size of the feature maps through one forward pass.
    Why it costs accuracy: an ImageNet stem (7x7, stride 2, then pooling) leaves 8x8 of a 32x32 image, and most of the
    depth works on 4x4 and less.
    Remedy: conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1) and no max-pooling.
    Thresholds: inputs up to 64 pixels; within the first tenth of the convolutions the map has shrunk by 4 or more,
    and over 60 % of them work on an eighth of the side or less. torchvision's ResNet-18 on 32x32 has 75 %, with a
    patched stem 25 %; VGG-16 46 %, without the early shrinking. Where the last map is larger than 1x1 (torchvision's
    nets as they are on 64x64) it is an info.
    Measured: no measurement yet.
    """
    convolutions = _maps(one_step)
    side = one_step.input_side
    if len(convolutions) < layers or side is None or side > largest_input:
        return
    early = _side(convolutions[max(1, len(convolutions) // 10)])
    coarse = sum(_side(a) <= side / 8 for a in convolutions) / len(convolutions)
    last = _side(convolutions[-1])
    if early * 4 <= side and coarse > most:
        say = warning if last == 1 else info
        yield say(
            f"A {side}x{side} image is down to {early}x{early} after the first layers and to {last}x{last} at the end: {coarse:.0%} of the "
            f"{len(convolutions)} convolutions work on {side // 8}x{side // 8} or less.",
            "model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False); model.maxpool = nn.Identity()",
            where=convolutions[0].name,
            share=coarse,
            last=last,
        )
    else:
        yield Note(f"feature maps from {side}x{side} to {last}x{last}")


def _maps(step: OneStep) -> list[Activation]:
    """The convolutions on feature maps: a map of 1x1 before larger ones is a gate (squeeze and excitation)."""
    convolutions = [a for a in step.activations if a.kind == "Conv2d" and a.spatial is not None]
    return [a for i, a in enumerate(convolutions) if _side(a) > 1 or all(_side(b) == 1 for b in convolutions[i:])]


def _side(activation: Activation) -> int:
    return max(activation.spatial or (1, 1))


@check("model.unused_parameters", cost="probe", explains=("loss.not_learning", "init.*"))
def unused_parameters(one_step: OneStep, *, most: float = 0.05) -> Verdicts:
    """Parameters that get no gradient because no forward pass uses them.

    What it does: makes one step and lists the trainable parameters without a gradient, but for layers that make the state which a
    recurrent cell is given back in the next step.
    Why it costs accuracy: part of the model that was paid for does not take part: a layer that is defined and not
    called, an output that is detached.
    Remedy: call it in forward(), or remove it.
    Thresholds: from 5 % of the trainable numbers on it warns (auxiliary heads and spare embeddings are smaller or
    known).
    Measured: no measurement yet.
    """
    trainable = [p for p in one_step.parameters if p.trainable]
    carried = one_step.carried
    unused = [p for p in trainable if p.gradient is None and p.name.rpartition(".")[0] not in carried]
    if not unused or len(unused) == len(trainable):
        return
    share = sum(p.numel for p in unused) / max(sum(p.numel for p in trainable), 1)
    say = warning if share >= most else info
    yield say(
        f"{len(unused)} trainable tensors, {share:.1%} of the parameters, get no gradient: no forward pass uses them, or their output is detached.",
        "Call these modules in forward(), or delete them; look for .detach(), .item() and torch.no_grad() on the way to the loss.",
        where=tuple(p.name for p in unused),
        share=share,
    )


@check("model.frozen", explains=("loss.not_learning", "lr.too_low", "training.raises"))
def frozen(trainable: Trainable, pretraining: Pretraining, *, most: float = 0.5) -> Verdicts:
    """Parameters with requires_grad False.

    What it does: counts them, and looks whether the head is among them.
    Why it costs accuracy: what is frozen at random initial values never learns.
    Remedy: for p in model.parameters(): p.requires_grad_(True)
    Thresholds: nothing trainable is critical; a frozen head under a trainable body warns; a frozen backbone with a trainable
    head is a design: info, which says where half of the parameters and more are frozen under normalization layers as
    initialized. Half of the parameters frozen in a body whose head alone trains, and spread evenly, warns: weights that were trained, or drawn from a normal
    distribution, have more in the middle.
    Measured: no measurement yet.
    """
    t = trainable
    if t.total and not t.trainable:
        yield critical(
            f"None of the {t.total:,} parameters is trainable.",
            "for p in model.parameters():\n    p.requires_grad_(True)",
            where=t.frozen[:3],
        )
    elif t.frozen and t.head in t.frozen:
        yield warning(
            f"The last layer ({t.head}) is frozen, while {t.trainable:,} of {t.total:,} parameters train.",
            f"model.get_parameter({t.head!r}).requires_grad_(True)",
            where=t.head,
            confidence=0.75,
        )
    elif t.untouched and t.body_only and t.untouched >= most * t.total and not pretraining.done:
        yield warning(
            f"{len(t.frozen)} tensors ({1 - t.trainable / t.total:.0%} of the parameters) are frozen, and their weights are still "
            "spread evenly, as torch initializes them: nothing was pretrained.",
            "Load the pretrained weights before freezing, or requires_grad_(True).",
            where=t.frozen,
            confidence=0.8,
            trainable=t.trainable,
            untouched=t.untouched,
        )
    elif t.frozen:
        share = 1 - t.trainable / t.total
        fresh = share >= most and pretraining.layers > 0 and not pretraining.done
        yield info(
            f"{len(t.frozen)} tensors ({share:.0%} of the parameters) are frozen"
            + (
                f", and all {pretraining.layers} normalization layers are as initialized: nothing was pretrained."
                if fresh
                else "."
            ),
            "Load the pretrained weights before freezing, or requires_grad_(True)."
            if fresh
            else "Right for a pretrained backbone; otherwise requires_grad_(True).",
            where=t.frozen,
            trainable=t.trainable,
        )


@check(
    "model.batch_mixing",
    cost="probe",
    explains=("model.reads_padding", "lr.too_high", "lr.too_low", "loss.not_learning"),
)
def batch_mixing(outputs: Outputs, *, most: float = 0.005, roundings: float = 50.0) -> Verdicts:
    """In evaluation mode one sample's prediction depends on the others in the batch.

    What it does: predicts samples in a batch of 16 and in one of 8, in eval mode, where BatchNorm does not mix.
    Why it costs accuracy: a wrong reshape or a softmax over the batch mixes samples; the accuracy depends on the batch.
    Remedy: keep dimension 0 apart: x.flatten(1), softmax(dim=1), batch_first=True.
    Thresholds: 0.5 % of the outputs' standard deviation, and 50 times what the outputs' type rounds to; rounding in float32 is
    under 0.1 %. Weights of attention that are taken from other samples are nearly equal before training: 1.6 % were seen.
    Measured: no measurement yet.
    """
    o = outputs
    if o.mixing > max(most, roundings * o.rounding) and o.repeat < o.mixing / 5:
        yield warning(
            f"The same samples give predictions that differ by {o.mixing:.2g} standard deviations when the rest of the batch changes.",
            "Look for view/reshape across dimension 0, softmax(dim=0), recurrent or attention layers without batch_first=True, or statistics over the batch in forward().",
            where="model",
            difference=o.mixing,
        )


@check("model.ignores_input", cost="probe", explains=("loss.not_learning",))
def ignores_input(outputs: Outputs, *, least: float = 1e-6) -> Verdicts:
    """The prediction is the same whatever the input.

    What it does: compares predictions of different samples, and with zeroed inputs.
    Why it costs accuracy: nothing that depends on the input can be learned; dead units or a constant in forward() cut
    the path.
    Remedy: look for dead or constant layers, and for a variable that is overwritten in forward().
    Thresholds: a spread over samples of a millionth. A head that is zero at the start is healthy and left out.
    Measured: no measurement yet.
    """
    o = outputs
    constant = o.across_samples <= least * max(abs(o.maximum), abs(o.minimum), 1e-3)
    if constant and not o.head_is_zero and o.finite:
        yield critical(
            f"All samples get the same prediction (they differ by {o.across_samples:.1g}).",
            "Check forward() for a constant, and the activations for a layer that is dead (init.dead_relu).",
            where="model",
            spread=o.across_samples,
        )


@check("model.mode_dependent", cost="probe")
def mode_dependent(outputs: Outputs, architecture: Architecture, targets: Targets, *, most: float = 0.05) -> Verdicts:
    """In evaluation mode the same input gives different predictions.

    What it does: predicts the same samples twice after model.eval(); NaN there, and not in train mode, is told as well.
    Why it costs accuracy: dropout called as a function (F.dropout without training=self.training), or noise, is
    active in evaluation.
    Remedy: F.dropout(x, p, training=self.training), or an nn.Dropout module.
    Thresholds: 5 % of the outputs' standard deviation. An info where the targets are no classes: a variational
    autoencoder draws its code in evaluation, too (Kingma & Welling 2014).
    Measured: no measurement yet.
    """
    if outputs.finite and outputs.repeat != outputs.repeat:
        yield critical(
            "In evaluation mode some predictions are NaN or infinite, and none is in train mode.",
            "Look for an attention mask that hides all keys of a sample (True hides in key_padding_mask), and for BatchNorm buffers that are NaN.",
            where=architecture.name,
        )
    elif outputs.repeat > most:
        say = info if targets.kind == "dense" else warning
        yield say(
            f"Two evaluations of the same samples differ by {outputs.repeat:.2g} standard deviations of the prediction.",
            "F.dropout(x, p, training=self.training): without that argument it stays on in eval mode.",
            where=architecture.name,
            difference=outputs.repeat,
        )


CHECKS = (
    output_width,
    stem_too_coarse,
    unused_parameters,
    frozen,
    batch_mixing,
    ignores_input,
    mode_dependent,
)
