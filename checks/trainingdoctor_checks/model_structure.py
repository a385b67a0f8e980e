"""The structure of the model, as one real sample runs through it: depth and width."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.criterion import CriterionKind
    from trainingdoctor.measure.flow import Flow
    from trainingdoctor.measure.single_values import SingleValues
    from trainingdoctor.measure.targets import Targets

HE = "He et al. 2015, Deep Residual Learning, arXiv:1512.03385, figures 1 and 6 and table 2"
WU = "Wu & He 2018, Group Normalization, arXiv:1803.08494, section 4.1"
LEARNS_BADLY = ("loss.not_learning", "lr.too_high", "lr.too_low", "init.gradient_flow")


@check("model.no_residual", cost="probe", explains=LEARNS_BADLY, references=(HE,))
def no_residual(flow: Flow, *, most: int = 30, hint: int = 22) -> Verdicts:
    """Very many convolutions one after the other, and no way round any of them.

    What it does: follows a sample through the model and counts the convolutions that every path from the input to the
    output goes through. A skip connection, dense concatenation or parallel branches lead round.
    Why it costs accuracy: beyond some depth plain nets train worse, not only generalize worse: on CIFAR-10 plain-56
    ends near 13 % error where plain-20 has 9 % and ResNet-56 has 7 %.
    Remedy: out = activation(x + block(x)) around every two or three convolutions.
    Thresholds: from 30 on it warns: He et al.'s plain-32 and plain-34 are worse than plain-20 and plain-18. The
    deepest plain nets that are known to train well have up to 18 (VGG-19 16, Darknet-19 18, MobileNetV1 14 beside its
    grouped ones); over 22 is an info. Grouped convolutions do not count.
    Measured: no measurement yet.
    """
    count = len(flow.unavoidable)
    if count < hint:
        yield Note(f"{count} convolutions that no path goes round")
        return
    say = warning if count >= most else info
    yield say(
        f"{count} convolutions follow one another and no path goes round any of them.",
        "x = torch.relu(x + block(x))  # around every two convolutions; 1x1 convolution on x where the width changes",
        where=tuple(w.name for w in flow.unavoidable[:3]),
        confidence=0.75,
        convolutions=count,
    )


@check("model.capacity", cost="probe", explains=("loss.not_learning",))
def capacity(flow: Flow, targets: Targets, criterion_kind: CriterionKind) -> Verdicts:
    """The model is too narrow, or too simple, to tell the classes apart.

    What it does: finds the narrowest layer that every path goes through, and whether the whole model is one layer.
    Why it costs accuracy: what does not fit through the narrowest layer is lost to all that follow. Whether a model is
    large enough otherwise cannot be told from its size.
    Remedy: more hidden units: at least as many as there are classes.
    Thresholds: one hidden number per sample for three or more classes warns; fewer than log2 of the classes is an info
    (two units are drawn on purpose to plot them), and so is a linear classifier.
    Measured: no measurement yet.
    """
    classes = len(targets.counts)
    if targets.kind != "indices" or criterion_kind.kind not in ("cross_entropy", "nll") or classes < 3:
        return
    hidden = [w for w in flow.layers[:-1] if w.always]
    narrow = min(hidden, key=lambda w: w.numbers, default=None)
    if narrow is not None and narrow.numbers < log2(classes):
        say = warning if narrow.numbers == 1 else info
        yield say(
            f"Everything goes through {narrow.name} with {narrow.numbers} numbers per sample, and there are {classes} classes.",
            f"At least {classes} outputs in {narrow.name}",
            where=narrow.name,
            numbers=narrow.numbers,
            classes=classes,
        )
    elif len(flow.layers) == 1 and not flow.bends:
        yield info(
            f"The model is one linear layer ({flow.layers[0].name}): it can only separate the {classes} classes by planes.",
            "A hidden layer with an activation, if the accuracy levels off early",
            where=flow.layers[0].name,
        )
    elif narrow is not None:
        yield Note(f"{narrow.numbers} numbers per sample at the narrowest layer, {narrow.name}")


@check(
    "model.normalizes_one_value",
    cost="probe",
    explains=("model.ignores_input", "loss.not_learning", "init.*"),
    references=(WU,),
)
def normalizes_one_value(single_values: SingleValues) -> Verdicts:
    """A layer normalizes one value by itself, and so gives the same whatever it gets.

    What it does: counts in a forward pass how many values each GroupNorm and LayerNorm takes its mean and variance over.
    Why it costs accuracy: one value less its own mean is 0: only the layer's shift comes out, and nothing below it is trained.
    Remedy: fewer groups (2 channels a group at least, 8 and more are usual), or the layer before the pooling.
    Thresholds: none; one value.
    Measured: no measurement; arithmetic.
    """
    s = single_values
    if s.names:
        yield critical(
            f"{s.names[0]}{f' and {len(s.names) - 1} more' if s.names[1:] else ''} takes its mean over a single value: it gives its "
            "shift, whatever it gets.",
            "nn.GroupNorm(num_groups=channels // 8, num_channels=channels), or before the pooling",
            where=tuple(s.names),
            layers=len(s.names),
        )
    elif s.normalizations:
        yield Note(f"{s.normalizations} normalizations over several values")


CHECKS = (normalizes_one_value, no_residual, capacity)
