"""How the model is put together and called: layers shared or unknown by mistake, and padding taken for content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.function_use import DropoutCall, FunctionUse
    from trainingdoctor.measure.repeats import RepeatedLayers
    from trainingdoctor.measure.unregistered import Unregistered

PYTHON = "Python documentation, Common sequence operations: items of a repeated list are not copied"
ALBERT = "Lan et al. 2020, ALBERT, arXiv:1909.11942, section 4.5: one layer for all costs 1.5 to 2.5 points"
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


CHECKS = (
    repeated_layer,
    unknown_layers,
    dropout_without_mode,
    softmax_over_batch,
    softmax_over_one,
)
