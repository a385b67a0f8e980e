"""How the model is put together and called: layers shared or unknown by mistake, and padding taken for content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.function_use import DropoutCall, FunctionUse
    from trainingdoctor.measure.padding import PaddingUse
    from trainingdoctor.measure.position_use import PositionUse
    from trainingdoctor.measure.repeats import RepeatedLayers
    from trainingdoctor.measure.token_order import TokenOrder
    from trainingdoctor.measure.unregistered import Unregistered

PACKED = "PyTorch documentation, torch.nn.utils.rnn.pack_padded_sequence"
PYTHON = "Python documentation, Common sequence operations: items of a repeated list are not copied"
ALBERT = "Lan et al. 2020, ALBERT, arXiv:1909.11942, section 4.5: one layer for all costs 1.5 to 2.5 points"
VASWANI = "Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762, section 3.5: positional encoding"
LISTS = "PyTorch documentation, torch.nn.ModuleList: modules it contains are properly registered"
FUNCTIONAL = "https://pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html"
GAL = "Gal & Ghahramani 2016, Dropout as a Bayesian Approximation, arXiv:1506.02142"
LEARNS_BADLY = ("loss.not_learning", "lr.too_high", "lr.too_low", "init.gradient_flow")


@check("model.repeated_layer", explains=("batchnorm.shared", *LEARNS_BADLY), references=(PYTHON, ALBERT))
def repeated_layer(repeated_layers: RepeatedLayers, *, most: int = 2) -> Verdicts:
    """One layer stands several times in a list of layers: they share their weights.

    What it does: looks for the same module under several numbers of one Sequential or ModuleList.
    Why it costs accuracy: [block] * 6 is six times the same block: the model has a sixth of the weights, and BatchNorm
    layers in it mix the statistics of six places.
    Remedy: a new module each: [Block() for _ in range(6)].
    Thresholds: identity; a single layer that is there twice is an info. Layers without matrices (activations, PReLU) may be
    shared. Who shares weights across depth on purpose (ALBERT) mostly calls one layer in a loop, which is not said.
    Measured: no measurement yet.
    """
    for places, block in list(zip(repeated_layers.places, repeated_layers.blocks, strict=True))[:3]:
        say = warning if block or len(places) > most else info
        yield say(
            f"{places[0]} to {places[-1]} are {len(places)} times one and the same module: they share their weights.",
            "nn.Sequential(*[Block() for _ in range(n)]), or copy.deepcopy(block): [block] * n repeats one object",
            where=places[:3],
            confidence=0.8,
            times=len(places),
        )


@check("model.reads_padding", cost="probe", references=(PACKED,))
def reads_padding(padding_use: PaddingUse, *, most: float = 2.0, hint: float = 0.3, least: float = 0.1) -> Verdicts:
    """Predictions depend on how much padding follows the sequence.

    What it does: predicts sequences in their padded batch, and alone with the padding cut off, in eval mode.
    Why it costs accuracy: a recurrent net whose last step is read has forgotten the text after dozens of padding
    tokens; a mean over all positions is thinned out by them. The same text gets other answers in other batches.
    Remedy: pack_padded_sequence and the last hidden state, or a mean over the tokens that are no padding;
    key_padding_mask in attention.
    Thresholds: a median change of twice what samples differ by warns, of 0.3 informs, where a tenth of the tokens is
    padding. Over 8 seeds of the LSTM below: 2.3 and more where the last padded step is read, 0.4 to 1.5 for means over
    all positions, under 0.001 for packed sequences, a masked mean, a sum, and a maximum.
    Measured: an LSTM on 5,000 generated texts of 5 to 60 words, Adam, 5 epochs, 2 seeds: 96.7 % with packed sequences, 69 %
    (56 and 83) with the last step of the padded ones; a mean over all positions 94.6 %, over the words 96.4 %.
    """
    p = padding_use
    if p.share < least or p.change < hint:
        yield Note(f"cutting the padding off moves predictions by {p.change:.2g} of what samples differ by")
        return
    say = warning if p.change >= most else info
    yield say(
        f"Cutting off the padding (token {p.padding}, {p.share:.0%} of all) moves the predictions of {p.compared} samples by {p.change:.2g} times what samples differ by: "
        "the model reads it as text.",
        "packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False) and the last hidden state; "
        "(hidden * mask).sum(1) / mask.sum(1) for means; src_key_padding_mask for attention",
        where="model",
        confidence=0.8,
        change=p.change,
        share=p.share,
    )


@check(
    "model.unregistered",
    cost="probe",
    explains=(
        "model.batch_mixing",
        "batchnorm.*",
        "model.mode_dependent",
        "optimizer.missing_parameters",
        *LEARNS_BADLY,
    ),
    references=(LISTS,),
)
def unknown_layers(unregistered: Unregistered) -> Verdicts:
    """The model computes with layers that it does not know of.

    What it does: follows the graph of a real prediction down to its parameters, and looks for those that are not among
    model.parameters().
    Why it costs accuracy: layers in a plain list or dictionary stay at their random start: model.parameters() does not
    give them to the optimizer; eval() and to(device) do not reach them, and state_dict() does not save them. Layers that
    forward() makes are random anew in each pass.
    Remedy: nn.ModuleList, nn.ModuleDict, nn.ParameterList; self.weight = nn.Parameter(...) in place of a tensor; what
    forward() makes belongs into __init__().
    Thresholds: none; identity. What an optimizer holds nevertheless is an info.
    Measured: no measurement yet.
    """
    u = unregistered
    if not u.tensors:
        yield Note("all parameters of the prediction are the model's")
        return
    say = info if u.trained == u.tensors else critical
    yield say(
        f"{u.tensors} parameter tensors of the prediction ({u.numbers:,} numbers, {u.numbers / max(u.of, 1):.0%} of all) are not among model.parameters() "
        f"(shapes {', '.join(map(str, u.shapes))}), and {'all' if u.trained == u.tensors else u.trained or 'none'} of them are in an optimizer.",
        "self.norm = nn.LayerNorm(...) in __init__, and self.norm(x) in forward(): layers that forward() makes are new in each pass"
        if u.anew == u.tensors
        else "self.layers = nn.ModuleList(layers), or nn.ModuleDict, before the optimizer is built",
        where="model",
        tensors=u.tensors,
        numbers=u.numbers,
    )


@check("dropout.without_mode", cost="probe", explains=("model.mode_dependent",), references=(FUNCTIONAL, GAL))
def dropout_without_mode(function_use: FunctionUse) -> Verdicts:
    """Dropout in forward() that does not know the model's mode.

    What it does: predicts in evaluation mode and watches F.dropout and its like, dropout layers that forward() makes, and
    F.scaled_dot_product_attention with a dropout_p.
    Why it costs accuracy: F.dropout is on unless it is told otherwise: evaluation is made on a thinned net, and differs from
    call to call.
    Remedy: F.dropout(x, p, training=self.training), or an nn.Dropout made in __init__.
    Thresholds: none; the call removes something in evaluation mode. An info where the call itself gives `training`: Monte Carlo
    dropout (Gal & Ghahramani 2016) is left on on purpose.
    Measured: no measurement yet.
    """
    for call in function_use.dropouts:
        what = f"{call.name} in forward() removes {call.p:.0%} of its input in evaluation mode, too"
        if call.said:
            yield info(f"{what}.", "Nothing, if predictions are to be random.", where=call.where, p=call.p)
        else:
            yield warning(f"{what}: it is not told the mode.", _remedy(call), where=call.where or "model", p=call.p)
    if not function_use.dropouts:
        yield Note("no function of dropout is on in evaluation mode")


def _remedy(call: DropoutCall) -> str:
    if call.name == "scaled_dot_product_attention":
        return f"dropout_p={call.p:g} if self.training else 0.0"
    if call.name[:1].isupper():
        return f"self.dropout = nn.{call.name}({call.p:g}) in __init__, and self.dropout(x) in forward()"
    return f"F.{call.name}(x, {call.p:g}, training=self.training)"


@check(
    "model.softmax_over_batch",
    cost="probe",
    explains=("model.batch_mixing", "loss.softmax_before_cross_entropy", *LEARNS_BADLY),
)
def softmax_over_batch(function_use: FunctionUse) -> Verdicts:
    """A softmax over the samples of a batch.

    What it does: predicts a batch of seven samples and one of four, in evaluation mode, and looks at the dimension of each
    softmax: the first one, of the batch's size, in both.
    Why it costs accuracy: probabilities of a class add up to 1 over the samples: what one gets depends on the others, in
    training and in evaluation.
    Remedy: softmax(dim=1) or dim=-1; F.softmax without a dimension takes the first one of tensors with three.
    Thresholds: none; sizes. Nothing is said where the prediction has no row for each sample, samples have several targets (the
    first dimension may be time), or another dimension grows with the batch (attention between nodes of a graph).
    Measured: no measurement yet.
    """
    places = function_use.over_batch
    if places:
        outside = "" if any(places) else " between the model and the loss"
        yield warning(
            f"A softmax{outside} goes over the samples of the batch: each prediction depends on the others.",
            "softmax(dim=1), or dim=-1: dimension 0 holds the samples",
            where=tuple(p or "criterion" for p in places),
        )


@check(
    "model.softmax_over_one",
    cost="probe",
    explains=("model.ignores_input", "loss.softmax_before_cross_entropy", *LEARNS_BADLY),
)
def softmax_over_one(function_use: FunctionUse) -> Verdicts:
    """A softmax over a single value, which is always 1.

    What it does: predicts in evaluation mode, and looks at how many values each softmax in the user's code shares out.
    Why it costs accuracy: 1 comes out whatever goes in: attention weighs all the same, a head of one output says nothing, and
    what is below gets no gradient from there.
    Remedy: the dimension along which the scores of one sample stand: dim=1 of (batch, positions), dim=0 of (positions, batch);
    a sigmoid for a single output.
    Thresholds: none; one value, in each call at that place. Layers of libraries are left out.
    Measured: no measurement; arithmetic.
    """
    places = function_use.over_one
    if places:
        yield warning(
            f"The softmax at {places[0]} goes over a single value: it gives 1, whatever it gets.",
            "softmax over the dimension that holds the values to compare, such as softmax(dim=1) of scores (batch, positions); "
            "a sigmoid for one output",
            where=places,
            confidence=0.8,
        )
    elif function_use.softmaxes:
        yield Note(f"softmaxes at {function_use.softmaxes} places, each over several values")


@check("model.ignores_order", cost="probe", explains=LEARNS_BADLY, references=(VASWANI,))
def ignores_order(token_order: TokenOrder, *, least: float = 1e-3, told: float = 3.0) -> Verdicts:
    """A model with attention that cannot tell in which order the tokens stand.

    What it does: predicts token sequences, and the same ones with the tokens between the first and the last in another order; and
    looks whether the counts of tokens alone tell the class.
    Why it costs accuracy: attention without positions sees a bag of words: "not good, bad" is "not bad, good".
    Remedy: add a positional encoding to the embeddings, before the first layer.
    Thresholds: predictions move by less than a thousandth of what samples differ by. Said where positions look at each other;
    a mean or sum of embeddings is a bag of words on purpose, and a note. A warning where a linear classifier on the counts is not three
    standard errors better than chance; an info where it is, or where there are no classes: then a bag of words may be enough.
    Measured: no measurement yet.
    """
    t = token_order
    if t.change >= least or not t.attends:
        yield Note(f"another order of the tokens moves predictions by {t.change:.2g} of what samples differ by")
        return
    needed = t.told is not None and t.told < told
    say = warning if needed else info
    yield say(
        f"With the tokens of {t.compared} sequences in another order the predictions stay the same (they move by {t.change:.1g} of what samples "
        f"differ by): the model has attention and no positions{', and which tokens there are does not tell the class' if needed else ''}.",
        "x = self.embedding(tokens) + self.position(torch.arange(tokens.shape[1], device=tokens.device)), with self.position = nn.Embedding(length, width)",
        where="model",
        confidence=0.8,
        change=t.change,
    )


@check("model.reads_one_position", cost="probe", explains=("model.ignores_order", "model.reads_padding", *LEARNS_BADLY))
def reads_one_position(position_use: PositionUse) -> Verdicts:
    """Of a whole sequence the prediction depends on one position alone.

    What it does: predicts sequences in evaluation mode, and the same with what stands between the first and the last position taken from
    another sample; then with the first and the last one changed.
    Why it costs accuracy: out[:, 0] of a recurrent net has seen the first step, and nothing else.
    Remedy: out[:, -1] of a net that reads forward, h_n[-1], or a mean over the steps; output[-1] where time comes first.
    Thresholds: none; predictions that are the same to the last bit, of sequences of 8 positions or more, padding left out. A first
    token that attends to all others, as in BERT and ViT, depends on them.
    Measured: no measurement; arithmetic.
    """
    p = position_use
    if p.used != 1:
        yield Note(f"of {p.length} positions more than one was seen to matter, or none of them")
        return
    place = "the last position" if p.only else "the first position"
    yield warning(
        f"The prediction depends on {place} alone: with everything else taken from another sample ({p.length} positions) it stays the same.",
        "out[:, -1] of a recurrent net with batch_first=True (out[:, 0] has seen the first step only), h_n[-1], or out.mean(1)",
        where="model",
        length=p.length,
    )


CHECKS = (
    repeated_layer,
    reads_padding,
    unknown_layers,
    dropout_without_mode,
    softmax_over_batch,
    softmax_over_one,
    ignores_order,
    reads_one_position,
)
