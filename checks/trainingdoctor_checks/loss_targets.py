"""The criterion's targets: their form, their size, and whether outputs can reach them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.bounded import BoundedOutputs
    from trainingdoctor.measure.criterion import CriterionKind
    from trainingdoctor.measure.outputs import Outputs
    from trainingdoctor.measure.targets import Numbers, Targets

WANG = "Wang et al. 2017, NormFace: L2 Hypersphere Embedding for Face Verification, arXiv:1704.06369, section 3.3"
HUMBATOVA = "Humbatova et al. 2020, Taxonomy of Real Faults in Deep Learning Systems, arXiv:1910.11015"
SARLE = "Sarle 2002, comp.ai.neural-nets FAQ, part 2: Should I normalize, standardize or rescale the data?"


@check("loss.target_format", cost="probe", explains=("loss.*", "training.raises", "lr.*"))
def target_format(outputs: Outputs, targets: Targets, criterion_kind: CriterionKind) -> Verdicts:
    """Targets and outputs have shapes, types or values that do not belong together.

    What it does: compares the shapes of a real batch, and for a binary cross-entropy the targets with 0 and 1.
    Why it costs accuracy: (N, 1) against (N,) broadcasts to N x N differences, so that every sample is pulled to the
    mean of all; one-hot integers stop with an error. With a mask of 0 and 255 a binary cross-entropy is negative
    without end, and all logits grow.
    Remedy: outputs.squeeze(1), or targets.unsqueeze(1); class indices as int64 of shape (N,); masks / 255.
    Thresholds: none; shapes, and probabilities of 0 to 1.
    Measured: no measurement yet.
    """
    dense = criterion_kind.kind in ("regression", "bce", "bce_with_logits")
    n = targets.shape[0]
    one_column = outputs.shape[1:] == (1,) and len(targets.shape) == 1
    other_column = targets.shape[1:] == (1,) and len(outputs.shape) == 1
    if dense and n > 1 and (one_column or other_column):
        yield critical(
            f"Outputs of shape (N, {outputs.width or ''}) meet targets of shape {('N', *targets.shape[1:])}: {criterion_kind.name} broadcasts "
            f"them to N x N differences.",
            "criterion(outputs.squeeze(1), targets)" if one_column else "criterion(outputs.unsqueeze(1), targets)",
            where="criterion",
        )
    elif (
        criterion_kind.kind in ("cross_entropy", "nll")
        and targets.kind == "dense"
        and len(outputs.shape) == 2
        and not _are_logits(targets, criterion_kind)
    ):
        one_hot = targets.width == outputs.width
        yield critical(
            f"Targets are {targets.dtype} of shape {('N', *targets.shape[1:])}, where {criterion_kind.name} takes class indices.",
            "targets = targets.argmax(1)" if one_hot else "targets = targets.long().flatten()",
            where="train_loader",
        )
    elif criterion_kind.kind in ("bce", "bce_with_logits") and targets.numbers is not None:
        yield from _no_probabilities(targets.numbers, criterion_kind.name)


def _are_logits(targets: Targets, criterion_kind: CriterionKind) -> bool:
    """A teacher's, which a loss of one's own turns into probabilities itself: numbers below 0 are no form of classes."""
    own = criterion_kind.name not in ("CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss")
    return own and targets.numbers is not None and targets.numbers.minimum < 0


def _no_probabilities(numbers: Numbers, name: str) -> Verdicts:
    low, high = numbers.minimum, numbers.maximum
    if low < -1e-3 or high > 1 + 1e-3:
        yield critical(
            f"Targets go from {low:.3g} to {high:.3g}, and {name} takes probabilities of 0 to 1.",
            f"targets = targets / {high:g}" if low >= 0 else "targets = (targets > 0).float()",
            where="train_loader.dataset",
            minimum=low,
            maximum=high,
        )


@check(
    "loss.unreachable",
    cost="probe",
    explains=(
        "loss.not_learning",
        "lr.*",
        "init.*",
        "model.saturated_activation",
        "model.relu_on_logits",
        "loss.target_scale",
    ),
    references=(HUMBATOVA,),
)
def unreachable(outputs: Outputs, targets: Targets, criterion_kind: CriterionKind, *, margin: float = 0.01) -> Verdicts:
    """The outputs cannot reach the targets.

    What it does: makes the last layer 10,000 times as large, of either sign, and looks whether the outputs gather at a
    bound, as those of a sigmoid, a tanh or a ReLU do; compares the bounds with the targets of a regression. For a binary
    cross-entropy it looks whether outputs sum to 1 where targets do not.
    Why it costs accuracy: the loss has a floor that no training goes below, and the gradient vanishes at the bound.
    Remedy: no activation after the last layer, or targets scaled into its range.
    Thresholds: a fifth of the amplified outputs within 1e-4 of the bound; more than 2.5 % of the targets beyond it, by
    1 % of their range at least.
    Measured: no measurement yet.
    """
    o, t = outputs, targets.numbers
    if (
        t is not None
        and criterion_kind.kind == "bce"
        and o.are_probabilities
        and targets.width == o.width
        and o.std > 0
    ):
        yield critical(
            f"The outputs of a sample sum to 1, as after a softmax, and its {o.width} targets do not: {criterion_kind.name} takes each by itself.",
            "A sigmoid in place of the softmax, or BCEWithLogitsLoss on the logits.",
            where="model",
        )
        return
    if t is None or criterion_kind.kind != "regression":
        return
    slack = margin * (t.high - t.low)
    below = o.floor is not None and t.low < o.floor - slack
    above = o.ceiling is not None and t.high > o.ceiling + slack
    if not below and not above:
        yield Note(f"targets from {t.minimum:.3g} to {t.maximum:.3g} can be reached")
        return
    bound = f"below {o.floor:.3g}" if below else f"above {o.ceiling:.3g}"
    both = f"below {o.floor:.3g} or above {o.ceiling:.3g}" if below and above else bound
    yield critical(
        f"No output can be {both}, and the targets go from {t.minimum:.3g} to {t.maximum:.3g} (95 % of them from {t.low:.3g} to {t.high:.3g}).",
        "Remove the activation after the last layer, or scale the targets into its range.",
        where="model",
        floor=o.floor,
        ceiling=o.ceiling,
        low=t.low,
        high=t.high,
    )


@check(
    "loss.target_scale",
    cost="probe",
    explains=("loss.not_learning", "lr.*", "loss.diverges", "loss.nonfinite", "loop.nonfinite", "clip.too_small"),
    references=(SARLE,),
)
def target_scale(
    outputs: Outputs, targets: Targets, criterion_kind: CriterionKind, *, most: float = 1000.0, large: float = 1000.0
) -> Verdicts:
    """The targets of a regression are thousands of times as large as what the model gives.

    What it does: compares the size of the targets with the outputs at the start.
    Why it costs accuracy: the weights have to grow a thousandfold first. With SGD the first gradients are so large that
    the training diverges; with Adam, whose steps are as long as the rate says, most of the run is spent on growing.
    Remedy: (targets - mean) / std, with the training set's numbers; multiply predictions back where they are read.
    Thresholds: targets beyond 1,000 that are 1,000 times the outputs of a model that starts around 0. Ages, degrees and
    counts of some tens stay below.
    Measured: no measurement yet.
    """
    t = targets.numbers
    if t is None or criterion_kind.kind != "regression" or not outputs.finite or outputs.head_is_zero:
        return
    size, given = math.hypot(t.mean, t.std), max(abs(outputs.minimum), abs(outputs.maximum))
    if size <= large or size <= most * given:
        yield Note(
            f"targets {t.mean:.3g} ± {t.std:.3g}, outputs {outputs.minimum:.3g} to {outputs.maximum:.3g} at the start"
        )
        return
    yield warning(
        f"The targets are {t.mean:,.0f} ± {t.std:,.0f}, and the model gives {outputs.minimum:.2g} to {outputs.maximum:.2g} at the start: "
        f"its weights have to grow {size / max(given, 1e-12):,.0f}-fold first.",
        f"targets = (targets - {t.mean:.0f}) / {t.std:.0f}, and predictions * {t.std:.0f} + {t.mean:.0f} where they are read",
        where="train_loader.dataset",
        mean=t.mean,
        std=t.std,
        output=given,
    )


@check(
    "loss.bounded_logits",
    cost="probe",
    explains=("loss.not_learning", "lr.*", "init.*", "regularization.*"),
    references=(WANG,),
)
def bounded_logits(
    bounded_outputs: BoundedOutputs,
    criterion_kind: CriterionKind,
    outputs: Outputs,
    *,
    least: float = 1 / 3,
    hint: float = 0.1,
) -> Verdicts:
    """Cosines go into a cross-entropy as they are.

    What it does: makes all parameters 100 times as large, looks whether predictions stay within -1 and 1 all the same, as cosines do, and calls the
    criterion on the best of them: 1 for the right class, -1 for all others.
    Why it costs accuracy: a softmax of values that close together gives the right class of ten at most 45 %; the loss has a floor, and
    samples that are right already pull as much as those that are wrong.
    Remedy: a scale of 10 to 64, fixed or learned, before the softmax, as in NormFace, CosFace and ArcFace; a temperature of about 0.1.
    Thresholds: a floor of a third of what chance gives (ten classes and more) warns, a tenth is an info. Activations that stop at a bound are
    another check's (model.relu_on_logits), and so are probabilities. A criterion that has the scale in it is fine: it is called.
    Measured: no measurement; arithmetic.
    """
    b = bounded_outputs
    if (
        b.bound is None
        or criterion_kind.kind != "cross_entropy"
        or outputs.floor is not None
        or outputs.ceiling is not None
    ):
        return
    share = b.lowest / b.chance if b.chance > 0 else 0.0
    if share < hint:
        yield Note(f"predictions stay within {b.bound:.2g}, and the loss on the best of them is {b.lowest:.2g}")
        return
    say = warning if share >= least else info
    yield say(
        f"The predictions are cosines: whatever the weights, they stay within -1 and 1, and the loss on {b.classes} classes stays at {b.lowest:.2g} or "
        f"above (chance is {b.chance:.2g}).",
        "logits = 16 * F.normalize(features, dim=1) @ F.normalize(weight, dim=1).T, or a learned scale: nn.Parameter(torch.tensor(16.0))",
        where="model",
        lowest=b.lowest,
        chance=b.chance,
    )


CHECKS = (target_format, unreachable, target_scale, bounded_logits)
