"""Forward and backward of a chain of residual blocks of one shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainingdoctor.reference.fused.engine import (
    FORWARD,
    OF_BIAS,
    OF_WEIGHT,
    THROUGH_BATCHNORM,
    THROUGH_BLOCK,
    Engine,
    Kernels,
    Shape,
)


@dataclass(frozen=True)
class Plan:
    """What a chain is made of. entry: what comes before its blocks of two convolutions each,

    "stem": relu(bn(conv(x))), the net's first layer; nobody wants the gradient of x.
    "middle": of a block of another shape what its first convolution has made, x: relu(shortcut + bn(conv(relu(bn(x))))).
    layers: of BatchNorm.  kernels: by device.
    """

    entry: str
    layers: int
    eps: float
    kernels: Callable[[torch.device], Kernels]

    @property
    def first(self) -> int:
        """Number of the first layer that belongs to a whole block."""
        return 1 if self.entry == "stem" else 2

    @property
    def convolutions(self) -> int:
        """How many there are in the chain."""
        return self.layers - (self.entry == "middle")


class Layers:
    """One pass: for each layer the input of its convolution `x`, and that of its BatchNorm `y`."""

    def __init__(self, plan: Plan, engine: Engine, weights: Tensor, affine: Tensor) -> None:
        self.plan, self.engine, self.weights, self.affine = plan, engine, weights, affine
        self.x: dict[int, Tensor] = {}
        self.y: dict[int, Tensor] = {}
        self.last = affine

    def number(self, layer: int) -> int:
        """Of its convolution among the chain's."""
        return layer - (self.plan.layers - self.plan.convolutions)

    def forward(self, x: Tensor, shortcut: Tensor | None) -> Tensor:
        """The last block's result."""
        if self.plan.entry == "stem":
            out = self._normalized(0, x)
        else:
            self.y[0] = x
            self.engine.statistics_of(x, 0, self.affine[0], self.plan.eps)
            out = self._normalized(1, self.engine.normalize(x, 0), shortcut)
        for layer in range(self.plan.first, self.plan.layers, 2):
            out = self._normalized(layer + 1, self._normalized(layer, out), out)
        self.last = out
        return out

    def _normalized(self, layer: int, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        weight, affine = self.weights[self.number(layer)], self.affine[layer]
        self.x[layer] = x
        self.y[layer] = self.engine.convolve(FORWARD, x, weight, layer, affine=affine, eps=self.plan.eps)
        return self.engine.normalize(self.y[layer], layer, shortcut)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Of x and of the shortcut."""
        last = self.plan.layers - 1
        mirrored = self.weights.flip(1).transpose(2, 3).contiguous()
        self.engine.begin()
        g = self.engine.relu_backward(gradient, self.last, self.y[last], last)
        for layer in reversed(range(self.plan.first, self.plan.layers, 2)):
            inner = self._before(layer + 1, g, mirrored)
            g1 = self._through(layer, inner)
            w = mirrored[self.number(layer)]
            x, y = self.x[layer], self.y[layer - 1]
            g = self.engine.convolve(THROUGH_BLOCK, g1, w, layer - 1, extra=g, inputs=x, y=y)
        if self.plan.entry == "stem":
            self._through(0, g)
            return None, None
        inner = self._before(1, g, mirrored)
        return self.engine.normalize_backward(inner, self.y[0], 0), g

    def _through(self, layer: int, g: Tensor) -> Tensor:
        """From behind a layer's BatchNorm to behind its convolution, whose kernel gets its gradient."""
        before = self.engine.normalize_backward(g, self.y[layer], layer)
        self.engine.kernel_gradient(self.x[layer], before, self.number(layer))
        return before

    def _before(self, layer: int, g: Tensor, mirrored: Tensor) -> Tensor:
        """From behind a block's second BatchNorm to behind its first one."""
        g2, w = self._through(layer, g), mirrored[self.number(layer)]
        return self.engine.convolve(THROUGH_BATCHNORM, g2, w, layer - 1, y=self.y[layer - 1])


class Chain(torch.autograd.Function):
    """Blocks of two convolutions each, all of one shape, and what comes before them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shortcut: Tensor | None, plan: Plan, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        """x, shortcut: (N, C, H, W); parameters: the kernels, then all weights of BatchNorm, then all its biases.

        Gives the last block's result and the statistics of each layer (layers, 5, C).
        """
        shape = Shape.of(x)
        engine = Engine(shape, plan.layers, plan.kernels(x.device))
        layers = Layers(plan, engine, *_packed(parameters, plan))
        out = layers.forward(shape.flat(x), None if shortcut is None else shape.flat(shortcut))
        ctx.layers = layers
        ctx.mark_non_differentiable(engine.statistics)
        return shape.image(out), engine.statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Of x, of the shortcut and of all parameters."""
        layers: Layers | None = ctx.layers
        if layers is None:
            raise RuntimeError("backward() went through the fused kernels a second time; use --no-fused")
        # The activations are let go with this pass, as those that autograd saves are.
        ctx.layers, engine = None, layers.engine
        try:
            given = [None if g is None else engine.shape.image(g) for g in layers.backward(engine.shape.flat(gradient))]
        finally:
            engine.join()
        return *given, None, *_unpacked(engine, layers.plan)


def _packed(parameters: Sequence[Tensor], plan: Plan) -> tuple[Tensor, Tensor]:
    """Kernels as bfloat16 (convolutions, 9, C in, C out), and BatchNorm's weights and biases (layers, 2, C)."""
    count = plan.convolutions
    w = torch.stack([p.detach().permute(2, 3, 1, 0) for p in parameters[:count]])
    weights = torch.stack(list(parameters[count : count + plan.layers]))
    affine = torch.stack([weights, torch.stack(list(parameters[count + plan.layers :]))], 1)
    return w.to(torch.bfloat16).reshape(count, 9, *w.shape[3:]), affine


def _unpacked(engine: Engine, plan: Plan) -> tuple[Tensor, ...]:
    """Gradients in the parameters' order; kernels' ones channels-last, so that autograd keeps them as they are."""
    c, count = engine.shape.channels, plan.convolutions
    total = engine.gradients[:count].sum(1).view(count, 3, 3, c, c).permute(0, 4, 1, 2, 3).contiguous()
    kernel = total.permute(0, 1, 4, 2, 3).unbind(0)
    return (*kernel, *engine.coefficients[:, OF_WEIGHT].unbind(0), *engine.coefficients[:, OF_BIAS].unbind(0))
