"""The criterion: does it fit the outputs, the targets, and the direction?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.criterion import CriterionKind
    from trainingdoctor.measure.divergence import DivergenceInput
    from trainingdoctor.measure.optimizers import ClipLimit, Group
    from trainingdoctor.measure.outputs import Outputs
    from trainingdoctor.measure.targets import Targets

DOCS = "PyTorch documentation, torch.nn.CrossEntropyLoss: the input is expected to contain the unnormalized logits"
KL = "https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html: the input is expected in the log-space"
SLOW = ("loss.not_learning", "lr.too_low", "init.*", "model.ignores_input")
HARM = ("loss.*", "lr.*", "training.raises")
OTHER_SHAPE = (
    "It is positive all the same, so not the sign is wrong but what it weighs or takes: a focal loss multiplies by (1 - p) ** gamma, not by "
    "p ** gamma; a Dice or IoU loss is 1 - score, of probabilities and not of logits."
)


@check(
    "loss.softmax_before_cross_entropy",
    cost="probe",
    explains=(*SLOW, "lr.too_high", "model.relu_on_logits"),
    references=(DOCS,),
)
def softmax_before_cross_entropy(outputs: Outputs, criterion_kind: CriterionKind) -> Verdicts:
    """The model's outputs are on another scale than the criterion expects.

    What it does: looks at the outputs on real samples (rows that sum to one, all in 0..1, logarithms of a
    distribution) and at what the criterion does with synthetic ones.
    Why it costs accuracy: softmax twice leaves a loss between ln k - 1 and ln k for k classes, with gradients that
    vanish where they are needed; logits in NLLLoss have no lower bound.
    Remedy: logits into CrossEntropyLoss, log_softmax into NLLLoss, logits into BCEWithLogitsLoss.
    Thresholds: rows that sum to 1 within 1e-3. log_softmax before CrossEntropyLoss is idempotent and healthy.
    Measured: no measurement yet.
    """
    o, kind = outputs, criterion_kind.kind
    takes_logits = kind in ("cross_entropy", "bce_with_logits")
    if takes_logits and o.are_probabilities and o.std > 0:
        yield critical(
            f"The model returns probabilities ({o.minimum:.2g} to {o.maximum:.2g}, every row sums to 1), and {criterion_kind.name} applies "
            "its own softmax to them.",
            "Remove the softmax at the end of the model; take it only where you read probabilities.",
            where="model",
            minimum=o.minimum,
            maximum=o.maximum,
        )
    elif takes_logits and o.are_unit_range and o.std > 0 and (o.width != 1 or kind == "bce_with_logits"):
        yield warning(
            f"The model's outputs all lie in {o.minimum:.2g} to {o.maximum:.2g}, as after a sigmoid, and {criterion_kind.name} expects logits.",
            "Remove the sigmoid at the end of the model.",
            where="model",
            confidence=0.75,
        )
    elif kind == "nll" and not o.are_log_probabilities:
        what = "probabilities" if o.are_probabilities else "logits"
        yield critical(
            f"The model returns {what} ({o.minimum:.2g} to {o.maximum:.2g}), and {criterion_kind.name} expects log-probabilities.",
            "criterion = nn.CrossEntropyLoss() on logits, or log_softmax(dim=1) at the end of the model",
            where="criterion",
        )
    else:
        yield Note(f"{criterion_kind.name} is a {kind} and the outputs go from {o.minimum:.2g} to {o.maximum:.2g}")


@check(
    "loss.wrong_for_task",
    cost="probe",
    explains=("loss.target_format", "training.raises"),
    references=("Hui & Belkin 2021, arXiv:2006.07322",),
)
def wrong_for_task(criterion_kind: CriterionKind, targets: Targets, outputs: Outputs) -> Verdicts:
    """A regression loss on class numbers.

    What it does: compares the form of the targets with what the criterion does.
    Why it costs accuracy: class 3 is not three times class 1.
    Remedy: nn.CrossEntropyLoss() with class indices.
    Thresholds: squared error on one-hot targets is known to work (Hui & Belkin 2021): info. So is a model with a single
    output, which may be meant as a regression of grades or counts.
    Measured: no measurement yet.
    """
    many = len(targets.counts) > 2
    if criterion_kind.kind == "regression" and targets.kind == "indices" and many and targets.complete:
        say = info if outputs.width in (None, 1) else critical
        yield say(
            f"{criterion_kind.name} regresses the class number ({len(targets.counts)} classes).",
            "criterion = nn.CrossEntropyLoss()",
            where="criterion",
            classes=len(targets.counts),
        )
    elif criterion_kind.kind == "regression" and targets.kind == "soft":
        yield info(
            f"{criterion_kind.name} on one-hot targets.", "nn.CrossEntropyLoss() is the usual choice", where="criterion"
        )


@check("loss.sign", cost="probe", explains=HARM)
def sign(criterion_kind: CriterionKind) -> Verdicts:
    """The loss falls when the predictions get worse.

    What it does: raises the right class's score on synthetic predictions and looks which way the loss goes.
    Why it costs accuracy: training descends it, away from the targets.
    Remedy: remove the minus sign (or add the one that is missing, for a log-likelihood). A loss that is positive all the same has no sign
    that is wrong: it weighs or takes something the wrong way round.
    Thresholds: none; the sign. A contrastive loss of distances, where those of a pair that belongs together shall be
    small, is zero where they are, and left out.
    Measured: no measurement yet.
    """
    if criterion_kind.of_distances:
        yield Note(f"{criterion_kind.name} is a loss of distances: those of pairs that are marked shall be small")
    elif not criterion_kind.descends and criterion_kind.kind != "nll":
        yield critical(
            f"{criterion_kind.name} rises when the right class's score rises: training moves away from the targets.",
            OTHER_SHAPE if criterion_kind.positive else "Negate the loss.",
            where="criterion",
        )


@check(
    "loss.reduction",
    cost="probe",
    explains=("lr.*", "loss.diverges", "loss.nonfinite", "loop.nonfinite", "training.raises"),
)
def reduction(
    criterion_kind: CriterionKind,
    targets: Targets,
    parameter_groups: tuple[Group, ...],
    clip_limit: ClipLimit,
    *,
    most: float = 3.0,
) -> Verdicts:
    """The loss is summed over the batch, or not reduced at all.

    What it does: calls the criterion on a synthetic batch, once and doubled.
    Why it costs accuracy: a sum multiplies the gradient, and with it SGD's rate, by the batch size.
    Remedy: reduction="mean".
    Thresholds: SGD's rate times the batch size above 3; recipes that sum on purpose divide the rate by the batch. Where
    gradients are clipped, rate times limit bounds the step, whatever the sum: an info up to 3.
    Measured: no measurement yet.
    """
    kind, group = criterion_kind, parameter_groups[0]
    if kind.reduction == "none":
        yield critical(
            f"{kind.name} returns one loss per sample: backward() needs a single number.",
            'reduction="mean"',
            where="criterion.reduction",
        )
    elif kind.reduction == "sum":
        size = targets.shape[0]
        product = group.base_lr * size
        limit = clip_limit.norm
        bounded = limit is not None and group.base_lr * limit <= most
        say = warning if product > most and not group.adaptive and not bounded else info
        yield say(
            f"{kind.name} sums over the batch: with {size} samples a rate of {group.base_lr:g} acts as {product:g}"
            + (f", but for the clipping of the gradient to {limit:g}." if bounded else "."),
            f'reduction="mean", or lr={group.base_lr / size:.1g}',
            where="criterion.reduction",
            effective_rate=product,
        )


@check(
    "loss.divergence_of_probabilities",
    cost="probe",
    explains=(*SLOW, "loss.sign", "loss.unreachable"),
    references=(KL,),
)
def divergence_of_probabilities(divergence_input: DivergenceInput) -> Verdicts:
    """kl_div is given probabilities, and takes their logarithms.

    What it does: calls the criterion on real samples, and looks at what it calls kl_div with; of a script, what its loop does,
    beside another criterion, too.
    Why it costs accuracy: the loss is then linear in the probability of the right class: it is negative, and its gradient vanishes
    for the samples that are predicted worst.
    Remedy: log_softmax as the first argument, softmax as the second.
    Thresholds: rows of numbers of 0 and above that sum to 1 within 1e-3; the logarithm of a probability is nowhere above 0.
    Measured: no measurement; arithmetic.
    """
    d = divergence_input
    if d.probabilities and d.maximum > 0:
        yield critical(
            f"kl_div gets probabilities ({d.minimum:.2g} to {d.maximum:.2g}, each row sums to 1) where it takes their logarithms.",
            "F.kl_div(outputs.log_softmax(1), targets, reduction='batchmean')",
            where="criterion",
            minimum=d.minimum,
            maximum=d.maximum,
        )
    else:
        yield Note(f"kl_div gets values from {d.minimum:.2g} to {d.maximum:.2g}")


CHECKS = (divergence_of_probabilities, softmax_before_cross_entropy, wrong_for_task, sign, reduction)
