"""The computation that one forward pass really made, read off autograd's graph: no layer names, no source code."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Steps whose output is an affine function of their one input that depends on the data.
LINEAR_STEPS = _words(
    "Add Alias AsStrided AvgPool1D AvgPool2D AvgPool3D AdaptiveAvgPool1D AdaptiveAvgPool2D AdaptiveAvgPool3D Cat Clone "
    "Col2Im ConstantPadNd Cumsum Diagonal Div Expand Flip Gather Im2Col Index IndexSelect Mean MkldnnAdaptiveAvgPool2D Mul "
    "NativeDropout Neg Permute PixelShuffle PixelUnshuffle ReflectionPad1D ReflectionPad2D Repeat ReplicationPad1D "
    "ReplicationPad2D ReshapeAlias Roll Rsub Select Slice Split SplitWithSizes Squeeze Stack Sub Sum T Tile ToCopy Transpose "
    "Unbind Unfold UnsafeSplit UnsafeView Unsqueeze UpsampleBilinear2D UpsampleNearest1D UpsampleNearest2D View"
)
# Of these, the ones that add up or put side by side several data-dependent inputs, and stay linear.
JOINS = _words("Add Cat Rsub Stack Sub")
RESHAPES = _words("Alias AsStrided Clone Permute ReshapeAlias Squeeze T Transpose UnsafeView Unsqueeze View")
BATCH_NORMS = _words("NativeBatchNorm CudnnBatchNorm MiopenBatchNorm")
PRODUCTS = _words("Addmm Baddbmm Bmm Convolution Linear Mm MkldnnLinear Mv")

_SUFFIX = re.compile(r"Backward\d*$")


@dataclass(frozen=True)
class Graph:
    """Steps of a forward pass in the order they ran; each is a node of autograd's graph.

    inputs: for each step, the data-dependent steps that feed it, with their position among its operands.
    always: steps that every path from the data to the output goes through.
    """

    root: Any
    steps: tuple[Any, ...]
    inputs: dict[Any, tuple[tuple[int, Any], ...]]
    consumers: dict[Any, tuple[Any, ...]]
    always: frozenset[Any]
    sources: frozenset[Any]

    def is_linear(self, step: Any) -> bool:
        """Whether the step is affine in the data: one dependent input, or a sum or concatenation of several."""
        kind, inputs = kind_of(step), self.inputs[step]
        if kind in BATCH_NORMS:
            return not getattr(step, "_saved_training", False)
        if kind == "Div":
            return len(inputs) == 1 and inputs[0][0] == 0
        return kind in LINEAR_STEPS and (len(inputs) == 1 or kind in JOINS)


def kind_of(step: Any) -> str:
    """`Convolution` of a ConvolutionBackward0 node."""
    return _SUFFIX.sub("", step.name())


def read_graph(output: Tensor, sources: Iterable[Any]) -> Graph | None:
    """The steps between `sources` (nodes) and `output`; None when the output does not depend on them."""
    root, wanted = output.grad_fn, set(sources)
    if root is None:
        return None
    order = nodes_under(root)
    dependent: set[Any] = set()
    inputs: dict[Any, tuple[tuple[int, Any], ...]] = {}
    for step in order:
        found = tuple((i, n) for i, (n, _) in enumerate(step.next_functions) if n in dependent and step not in wanted)
        if found or step in wanted:
            dependent.add(step)
            inputs[step] = found
    if root not in dependent:
        return None
    steps = tuple(s for s in order if s in dependent)
    return Graph(root, steps, inputs, _consumers(steps, inputs), _unavoidable(root, steps, inputs), frozenset(wanted))


def nodes_under(root: Any) -> list[Any]:
    """All nodes under `root`, each after the ones that feed it."""
    order: list[Any] = []
    seen = {root}
    stack = [(root, iter(root.next_functions))]
    while stack:
        node, rest = stack[-1]
        for child, _ in rest:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append((child, iter(child.next_functions)))
                break
        else:
            order.append(node)
            stack.pop()
    return order


def _consumers(steps: tuple[Any, ...], inputs: dict[Any, tuple[tuple[int, Any], ...]]) -> dict[Any, tuple[Any, ...]]:
    found: dict[Any, list[Any]] = {step: [] for step in steps}
    for step in steps:
        for _, source in inputs[step]:
            found[source].append(step)
    return {step: tuple(users) for step, users in found.items()}


def _unavoidable(root: Any, steps: tuple[Any, ...], inputs: dict[Any, tuple[tuple[int, Any], ...]]) -> frozenset[Any]:
    """Steps whose number of paths (from the data) x (to the output) is that of all paths."""
    before: dict[Any, int] = {}
    for step in steps:
        before[step] = sum(before[s] for _, s in inputs[step]) or 1
    after = dict.fromkeys(steps, 0)
    after[root] = 1
    for step in reversed(steps):
        for _, source in inputs[step]:
            after[source] += after[step]
    return frozenset(s for s in steps if before[s] * after[s] == before[root])


def upstream(graph: Graph, step: Any, passes: Callable[[Any], bool]) -> Iterator[Any]:
    """From `step` back towards the data, one step at a time, while there is one way and `passes` holds for the last.

    Yields each step it comes to; the last one is where it stopped.
    """
    while len(inputs := graph.inputs[step]) == 1:
        step = inputs[0][1]
        yield step
        if not passes(step):
            return
