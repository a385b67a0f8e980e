"""How a real sample flows through the model: which layers lie on its way, what is between them, what goes round them."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.affine import deviation_from_affine
from trainingdoctor.measure.batches import Batch, forward, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.graph import BATCH_NORMS, PRODUCTS, RESHAPES, Graph, kind_of, read_graph, upstream
from trainingdoctor.measure.hooks import attached
from trainingdoctor.measure.prediction import prediction

# Bounded activations; what is tanh' or sigmoid' there, over its largest value, is read off their outputs.
SQUASHING = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax"}
NORMS = frozenset({*BATCH_NORMS, "NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm", "LinalgVectorNorm"})


@dataclass(frozen=True)
class WeightLayer:
    """One use of a convolution or linear layer. kind: conv or linear.  numbers: per sample in its output.

    always: every path from the input to the output goes through it.  after: the weight layer whose output reaches it
    through linear steps alone, and by that one way.  grouped: a convolution in groups.  kernel: numbers in its
    kernel.  biased_before_norm: it has a bias, and its output goes straight into BatchNorm.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    numbers: int
    kernel: int = 1
    grouped: bool = False
    always: bool = True
    after: str | None = None
    biased_before_norm: bool = False


@dataclass(frozen=True)
class Squashed:
    """A sigmoid, tanh or softmax whose output goes into the weight layer `into`.

    flat: share of its outputs where its slope is under a twentieth of the steepest.  repeated: `into` is used several
    times (a recurrent net).  always: as for WeightLayer.
    """

    kind: str
    into: str
    flat: float
    repeated: bool
    always: bool


@dataclass(frozen=True)
class Flow:
    """layers: in the order they ran.  bends: kinds of steps before the last layer that are not linear, with their number.

    tail: kinds of steps after the last layer, reshapes left out, in the order they run.  deviation: how far the model
    is from an affine function, relative to its outputs; None where inputs cannot be added (token numbers).
    """

    layers: tuple[WeightLayer, ...]
    squashed: tuple[Squashed, ...]
    bends: dict[str, int]
    norms: int
    tail: tuple[str, ...] = ()
    deviation: float | None = None

    @property
    def unavoidable(self) -> tuple[WeightLayer, ...]:
        """Convolutions across channels that no path goes round."""
        return tuple(w for w in self.layers if w.always and w.kind == "conv" and not w.grouped)


@evidence(cost="probe")
def flow(model: nn.Module, train_batches: tuple[Batch, ...], *, samples: int = 8) -> Flow:
    """Follow the first samples through one evaluation pass and read off the steps that it made."""
    batch = train_batches[0].first(samples)
    set_mode(model, False)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    graph = _traced(model, batch)
    names = {id(p): n for n, p in model.named_parameters()}
    return replace(_read(graph, names, max(batch.size, 1)), deviation=deviation_from_affine(model, batch))


def _traced(model: nn.Module, batch: Batch) -> Graph:
    sources: list[Any] = []

    def start(value: Tensor) -> Tensor:
        if not value.is_floating_point():
            return value
        # A clone, because models may change their input in place.
        begun = value.detach().requires_grad_().clone()
        sources.append(begun.grad_fn)
        return begun

    with torch.enable_grad(), _starting_at_embeddings(model, batch, start):
        output = prediction(forward(model, Batch(mapped(batch.inputs, start), batch.targets)))
        graph = read_graph(output, sources)
    if graph is None:
        raise Unavailable("autograd sees no way from the input to the prediction (compiled, or under no_grad)")
    return graph


@contextmanager
def _starting_at_embeddings(model: nn.Module, batch: Batch, start: Any) -> Iterator[None]:
    """Token numbers have no gradient: for them the way begins at what the embeddings give."""
    whole = not any(t.is_floating_point() for t in tensors(batch.inputs))
    tables = [m for m in model.modules() if whole and isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    with attached(m.register_forward_hook(lambda _m, _i, output: start(output)) for m in tables):
        yield


def _read(graph: Graph, names: dict[int, str], samples: int) -> Flow:
    used = {s: n for s in graph.steps if (n := _weight_of(graph, s, names)) is not None}
    if not used:
        raise Unavailable("no convolution or linear layer lies between the input and the prediction")
    layers = tuple(_layer(graph, s, used, names, samples) for s in used)
    before = set(graph.steps[: graph.steps.index(list(used)[-1])])
    bends = Counter(kind_of(s) for s in before if s not in used and not graph.is_linear(s) and s not in graph.sources)
    return Flow(
        layers=layers,
        squashed=tuple(_squashed(graph, used)),
        bends=dict(bends),
        norms=sum(kind_of(s) in NORMS for s in graph.steps),
        tail=_tail(graph, used),
    )


def _tail(graph: Graph, used: dict[Any, str]) -> tuple[str, ...]:
    if graph.root in used:
        return ()
    steps = (graph.root, *upstream(graph, graph.root, lambda s: s not in used))
    kinds = [kind_of(s) for s in steps if s not in used and s not in graph.sources]
    return tuple(k for k in reversed(kinds) if k not in RESHAPES)


def _parameter(step: Any, names: dict[int, str]) -> Tensor | None:
    """The first matrix or kernel among the parameters that an operand is made of (through a transpose, a norm, ...)."""
    stack, seen = [step], 0
    while stack and seen < 50:
        node = stack.pop()
        seen += 1
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor) and variable.ndim >= 2 and id(variable) in names:
            return variable
        stack += [n for n, _ in reversed(node.next_functions) if n is not None]
    return None


def _weight(graph: Graph, step: Any, names: dict[int, str]) -> Tensor | None:
    """The parameter that a product multiplies the data with; None for a product of data with data."""
    if kind_of(step) not in PRODUCTS or len(graph.inputs.get(step, ())) != 1:
        return None
    operands = [n for n, _ in step.next_functions if n is not None and n not in graph.inputs]
    return next((p for n in operands if (p := _parameter(n, names)) is not None), None)


def _weight_of(graph: Graph, step: Any, names: dict[int, str]) -> str | None:
    weight = _weight(graph, step, names)
    if weight is None:
        return None
    owner, dot, _ = f".{names[id(weight)]}".rpartition(".parametrizations.")
    return (owner if dot else f".{names[id(weight)]}".rpartition(".")[0])[1:] or "model"


def _layer(graph: Graph, step: Any, used: dict[Any, str], names: dict[int, str], samples: int) -> WeightLayer:
    weight, shape = _weight(graph, step, names), tuple(step._input_metadata[0].shape)
    convolution = kind_of(step) == "Convolution"
    outputs = int(shape[1] if convolution else shape[-1])
    groups = int(step._saved_groups) if convolution else 1
    size = 0 if weight is None else weight.numel()
    kernel = math.prod(weight.shape[2:]) if convolution and weight is not None else 1
    return WeightLayer(
        name=used[step],
        kind="conv" if convolution else "linear",
        inputs=size * groups // max(outputs * kernel, 1),
        outputs=outputs,
        numbers=math.prod(shape) // samples,
        kernel=kernel,
        grouped=groups > 1,
        always=step in graph.always,
        after=_after(graph, step, used),
        biased_before_norm=_has_bias(graph, step) and _meets_norm(graph, step),
    )


def _after(graph: Graph, step: Any, used: dict[Any, str]) -> str | None:
    """The weight layer before `step` when only linear steps, and no second way in or out, lie between."""
    way = list(upstream(graph, step, lambda s: s not in used and graph.is_linear(s)))
    return used.get(way[-1]) if way and all(len(graph.consumers[s]) == 1 for s in way) else None


def _has_bias(graph: Graph, step: Any) -> bool:
    inputs = {n for _, n in graph.inputs[step]}
    position = {"Convolution": 2, "Addmm": 0}.get(kind_of(step))
    if position is None:
        return False
    operand = step.next_functions[position][0]
    return operand is not None and operand not in inputs


def _meets_norm(graph: Graph, step: Any) -> bool:
    users = graph.consumers[step]
    while len(users) == 1 and kind_of(users[0]) in RESHAPES:
        users = graph.consumers[users[0]]
    return len(users) == 1 and kind_of(users[0]) in BATCH_NORMS


def _squashed(graph: Graph, used: dict[Any, str]) -> Iterator[Squashed]:
    times = Counter(used.values())
    for step in graph.steps:
        kind = SQUASHING.get(kind_of(step))
        into = _into(graph, step, used) if kind else None
        if kind and into:
            yield Squashed(kind, into, _flat(step, kind), times[into] > 1, step in graph.always)


def _into(graph: Graph, step: Any, used: dict[Any, str]) -> str | None:
    """The first weight layer that takes the output of `step` through linear steps and pooling; None for a gate."""
    stack, seen, found = [step], {step}, None
    while stack:
        for user in graph.consumers[stack.pop()]:
            if user in used:
                found = found or used[user]
            elif user not in seen and (graph.is_linear(user) or "MaxPool" in kind_of(user)):
                seen.add(user)
                stack.append(user)
            elif user not in seen and len(graph.inputs[user]) > 1:
                return None
    return found


def _flat(step: Any, kind: str) -> float:
    value = step._saved_result.detach().float()
    slope = 1 - value.square() if kind == "tanh" else 4 * value * (1 - value)
    return float((slope < 0.05).float().mean())
