"""Activations: missing between layers, flat, or where none belongs."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

from trainingdoctor import Finding, Note, Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.criterion import CriterionKind
    from trainingdoctor.measure.flow import Flow, Squashed, WeightLayer
    from trainingdoctor.measure.function_use import FunctionUse
    from trainingdoctor.measure.outputs import Outputs
    from trainingdoctor.measure.pretraining import Pretraining

GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, section 3.1"
VASWANI = "Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762, section 3.2.1"
LEARNS_BADLY = ("loss.not_learning", "lr.too_high", "lr.too_low", "init.gradient_flow")

# Steps that are not linear and yet no activation: they choose or scale, and stand in nets that have activations as well.
NO_ACTIVATION = (
    *("MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D"),
    *("NativeLayerNorm", "NativeGroupNorm", "NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm"),
)
CLIPPING = ("Relu", "Hardtanh", "Clamp", "ClampMin", "Threshold")
SCALING = ("Mul", "Div")

# A floor that a training would notice; scaled cosine losses (ArcFace and its like: lengths of 16 and more) are at 1e-6.
LEAST_FLOOR = 0.1


@check("model.activation_missing", cost="probe", explains=LEARNS_BADLY)
def activation_missing(flow: Flow, *, rounding: float = 1e-5, most: float = 0.75) -> Verdicts:
    """Layers follow each other without an activation between them.

    What it does: follows a sample through the model and looks at the steps between its layers; adds inputs up to see
    whether the whole model is an affine function, f(a) + f(b) = f(a + b) + f(0).
    Why it costs accuracy: linear layers in a row compute what one linear layer can; without activations the whole
    model is a linear classifier.
    Remedy: an activation after every hidden layer: nn.ReLU(), nn.GELU().
    Thresholds: warns when nothing but pooling and normalization bends the way through two or more layers (three with
    max-pooling or normalization) whose width does not limit the rank, and when at least two pairs of linear layers,
    a quarter of all layers, widen to twice the width and come back without an activation (a transformer's MLP); and when
    at least three pairs of spatial convolutions make up three quarters of all layers (residual blocks without ReLUs). Other
    pairs are an info, and none where the middle is narrower than both ends (low rank, LoRA, MobileNetV2's bottlenecks),
    grouped (depthwise separable), or used elsewhere as well.
    Measured: no measurement yet.
    """
    affine = not flow.bends or (flow.deviation is not None and flow.deviation < rounding)
    chain = [w for w in flow.layers if w.always]
    pairs = _idle_pairs(flow)
    wide = [(a, b) for a, b in pairs if _widens(a, b)]
    spatial = [(a, b) for a, b in pairs if a.kernel > 1 and b.kernel > 1]
    if affine and len(chain) >= 2 and not _limits_rank(chain):
        yield _without_activation(f"The model is an affine function of its input: its {len(chain)} layers do", chain)
    elif len(chain) >= 3 and set(flow.bends) <= set(NO_ACTIVATION) and not _limits_rank(chain):
        yield _without_activation(
            f"No activation stands between the {len(chain)} layers (only {', '.join(flow.bends)}): they do little more than",
            chain,
        )
    elif len(wide) >= 2 and 2 * len(wide) >= len(flow.layers) / 4:
        first = wide[0][0]
        yield _idle(
            wide,
            "nn.GELU()",
            f"{len(wide)} pairs of layers widen and narrow again without an activation between them, such as {first.name} "
            f"({first.inputs} to {first.outputs}) and {wide[0][1].name}.",
        )
    elif len(spatial) >= 3 and 2 * len(spatial) >= most * len(flow.layers):
        yield _idle(
            spatial,
            "nn.ReLU()",
            f"{len(spatial)} pairs of convolutions, most of the {len(flow.layers)} layers, have no activation between them, such as "
            f"{spatial[0][0].name} and {spatial[0][1].name}.",
        )
    elif pairs:
        yield info(
            f"Between {pairs[0][0].name} and {pairs[0][1].name} there is no activation"
            + (f", nor in {len(pairs) - 1} other places." if len(pairs) > 1 else "."),
            "nn.ReLU() between them, unless the pair is meant as one linear map",
            where=tuple(b.name for _, b in pairs),
            pairs=len(pairs),
        )
    else:
        yield Note(
            f"{sum(flow.bends.values())} activations and other bends before the last of {len(flow.layers)} layers"
        )


def _idle(pairs: list[tuple[WeightLayer, WeightLayer]], activation: str, said: str) -> Finding:
    return warning(
        said,
        f"{activation} between {pairs[0][0].name} and {pairs[0][1].name}",
        where=tuple(b.name for _, b in pairs),
        pairs=len(pairs),
    )


def _without_activation(what: str, chain: list[WeightLayer]) -> Finding:
    return warning(
        f"{what} what one linear layer could.",
        "nn.ReLU() after every layer but the last",
        where=tuple(w.name for w in chain[:-1]),
        layers=len(chain),
    )


def _limits_rank(chain: list[WeightLayer]) -> bool:
    """Whether a hidden layer is narrower than both ends: a low-rank map, which one layer is not."""
    first = chain[0].inputs if chain[0].kind == "linear" else float("inf")
    return min(w.numbers for w in chain[:-1]) < min(first, chain[-1].numbers)


def _idle_pairs(flow: Flow) -> list[tuple[WeightLayer, WeightLayer]]:
    """Layers joined by linear steps alone whose product is a map that one layer could be."""
    by_name = {w.name: w for w in flow.layers}
    pairs = [(by_name[w.after], w) for w in flow.layers if w.after is not None and w.after != w.name]
    return [(a, b) for a, b in pairs if not (a.grouped or b.grouped) and a.outputs >= min(a.inputs, b.outputs)]


def _widens(a: WeightLayer, b: WeightLayer) -> bool:
    return a.kernel == b.kernel == 1 and a.outputs >= 2 * max(a.inputs, b.outputs)


@check("model.relu_on_logits", cost="probe", explains=("loss.not_learning", "lr.*", "model.ignores_input"))
def relu_on_logits(outputs: Outputs, criterion_kind: CriterionKind, flow: Flow, *, least: float = 0.05) -> Verdicts:
    """An activation after the last layer clips or squashes the logits.

    What it does: looks for predictions that are never negative and often exactly zero, or never beyond 1, with the
    activation as the last step, under a criterion that takes logits.
    Why it costs accuracy: a class whose logit is clipped at 0 gets no gradient, and no class can be made less likely
    than that; logits of -1 to 1 cannot express certainty (with ten classes the loss stays above 0.8), and neither can those
    of a fixed length, as of normalized rows without a scale.
    Remedy: remove the activation after the last layer.
    Thresholds: no negative value and 5 % exact zeros on 16 samples (of ten logits about half are clipped at the
    start). Left out: a ReLU that is pooled afterwards (SqueezeNet, Network in Network), regression, zero heads, and
    losses of one's own that scale the outputs.
    Measured: no measurement yet.
    """
    o, kind = outputs, criterion_kind.kind
    if (floor := _floor_of_length(o, criterion_kind)) is not None and floor > LEAST_FLOOR:
        yield warning(
            f"All rows of logits have the length {o.row_norm:.3g}: with {o.width} classes {criterion_kind.name} cannot fall below {floor:.2g}.",
            "Scale the normalized rows: 16 * F.normalize(x, dim=1), or a learned factor.",
            where="model",
            floor=floor,
        )
        return
    if kind not in ("cross_entropy", "bce_with_logits") or o.head_is_zero or not flow.tail or not o.finite:
        return
    last = next((k for k in reversed(flow.tail) if k not in SCALING), "")
    if last in CLIPPING and o.minimum >= 0 and o.zero_share >= least:
        yield warning(
            f"The predictions go from {o.minimum:.2g} to {o.maximum:.2g}, {o.zero_share:.0%} of them exactly 0: an activation clips the "
            f"logits that {criterion_kind.name} expects.",
            "Remove the ReLU after the last layer.",
            where="model",
            zeros=o.zero_share,
        )
    elif (
        flow.tail[-1] == "Tanh" and (o.width or 0) >= 2 and criterion_kind.name in ("CrossEntropyLoss", "cross_entropy")
    ):
        floor = log(1 + ((o.width or 2) - 1) * exp(-2))
        yield warning(
            f"A tanh keeps the logits between -1 and 1: with {o.width} classes {criterion_kind.name} cannot fall below {floor:.2g}.",
            "Remove the tanh after the last layer, or scale it: 10 * torch.tanh(x).",
            where="model",
            floor=floor,
        )


def _floor_of_length(o: Outputs, kind: CriterionKind) -> float | None:
    """The least cross-entropy of logits of that length: all of it in the direction of one class against the mean of the others."""
    varies = o.row_norm is not None and o.across_samples > 1e-3 * o.std
    if not varies or o.row_norm is None or (o.width or 0) < 2 or kind.name not in ("CrossEntropyLoss", "cross_entropy"):
        return None
    width = o.width or 2
    return log(1 + (width - 1) * exp(-o.row_norm * (width / (width - 1)) ** 0.5))


@check(
    "model.saturated_activation",
    cost="probe",
    explains=("init.gradient_flow", "model.ignores_input", *LEARNS_BADLY),
    references=(GLOROT,),
)
def saturated_activation(flow: Flow, *, deepest: int = 5, hint: int = 4, flat: float = 0.5) -> Verdicts:
    """Hidden activations that are flat: sigmoids in a deep net, softmax between layers, saturated tanh.

    What it does: finds the sigmoid, tanh and softmax steps whose output goes into another layer, and reads from their
    values on real samples where their slope is under a twentieth of the steepest. Gates, attention and recurrent nets
    multiply or repeat and do not count.
    Why it costs accuracy: each sigmoid passes on at most a quarter of the gradient, and pushes its units towards 0;
    a softmax makes the units of a layer share a sum of 1; a saturated unit does not learn.
    Remedy: nn.ReLU() or nn.GELU() in the hidden layers; smaller weights or normalized inputs where tanh saturates.
    Thresholds: five hidden sigmoid layers without normalization (Glorot & Bengio: with four the plateau is long, five
    never left it; four are an info); two softmax layers that every path goes through (one is an info: soft codebooks);
    more than half of the values flat in half of at least three layers.
    Measured: no measurement yet.
    """
    once = {(s.kind, s.into): s for s in flow.squashed if not s.repeated}
    sigmoids = [s for s in once.values() if s.kind == "sigmoid"]
    softmaxes = [s for s in once.values() if s.kind == "softmax" and s.always]
    bounded = [s for s in once.values() if s.kind != "softmax"]
    stuck = [s for s in bounded if s.flat > flat]
    if softmaxes:
        say = warning if len(softmaxes) >= 2 else info
        yield say(
            f"A softmax stands between hidden layers, before {', '.join(s.into for s in softmaxes[:3])}.",
            "nn.ReLU() in hidden layers",
            where=tuple(s.into for s in softmaxes),
            layers=len(softmaxes),
        )
    if len(sigmoids) >= hint:
        say = warning if len(sigmoids) >= deepest and not flow.norms else info
        yield say(
            f"{len(sigmoids)} hidden layers have sigmoid activations"
            + (", and there is no normalization." if not flow.norms else "."),
            "nn.ReLU() or nn.GELU() in hidden layers",
            where=tuple(s.into for s in sigmoids),
            layers=len(sigmoids),
        )
    elif len(bounded) >= 3 and 2 * len(stuck) >= len(bounded):
        yield _saturated(stuck)


@check("model.attention_saturated", cost="probe", explains=("init.*", *LEARNS_BADLY), references=(VASWANI,))
def attention_saturated(
    function_use: FunctionUse, pretraining: Pretraining, *, most: float = 0.5, least: int = 3, share: float = 0.75
) -> Verdicts:
    """Attention that looks at one position only, before anything was learned.

    What it does: takes from each softmax over positions, and each scaled_dot_product_attention, how much of a position's weight goes to one other.
    Why it costs accuracy: a saturated softmax passes no gradient on, and so does not learn where to look; scores that are multiplied by the root of the
    head's width, or divided by its reciprocal, are 30 times too large for 32 numbers.
    Remedy: scores = q @ k.transpose(-2, -1) / math.sqrt(head_dim).
    Thresholds: 0.5 on average in three quarters of at least three attentions over 16 positions or more, of a model that was not trained
    before. A ViT of 64 patches and heads of 32 numbers at the start, on CIFAR-10: 0.02 with the right scale, 0.09 to 0.16 without any, 0.66 to 0.74 where it
    is multiplied. Attention by place alone (the same in all samples) and
    single modules (Fu et al. 2019, DANet, weigh channels by their unscaled products) are left out.
    Measured: no measurement yet.
    """
    peaks = function_use.peaks
    high = [p for p in peaks if p >= most]
    if pretraining.done or not pretraining.layers or len(peaks) < least:
        return
    if len(high) < share * len(peaks):
        yield Note(f"{len(peaks)} attentions give {min(peaks):.2g} to {max(peaks):.2g} of their weight to one position")
        return
    yield warning(
        f"{len(high)} of {len(peaks)} attentions give {sum(high) / len(high):.0%} of their weight to a single position at the start: their scores are too "
        "large, and the softmax is saturated.",
        "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), of the width of one head; or F.scaled_dot_product_attention(q, k, v)",
        where="model",
        peak=sum(high) / len(high),
        attentions=len(peaks),
    )


def _saturated(stuck: list[Squashed]) -> Finding:
    worst = max(stuck, key=lambda s: s.flat)
    return warning(
        f"{len(stuck)} hidden {worst.kind} layers are saturated: before {worst.into} {worst.flat:.0%} of the values lie where the slope "
        "is under a twentieth of the steepest.",
        "nn.init.xavier_uniform_(weight) and inputs of mean 0 and deviation 1; or nn.ReLU() in hidden layers",
        where=tuple(s.into for s in stuck),
        flat=worst.flat,
    )


CHECKS = (activation_missing, relu_on_logits, saturated_activation, attention_saturated)
