"""The launches of the kernels on activations of one shape."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from trainingdoctor.reference.fused.tile import CHANNELS, SHARED_FOR_SUMS, THREADS, Tile

# Kinds of `convolve`, see there.
FORWARD, THROUGH_BATCHNORM, THROUGH_BLOCK = range(3)
# Rows of a layer's statistics, and of its coefficients.
MEAN, VARIANCE, OF_WEIGHT, OF_BIAS = 0, 4, 3, 4
# Blocks for each multiprocessor, by channels: the fastest measured on an H200 at 512 images.
CONVOLVE_BLOCKS = {16: 2, 32: 2, 64: 1}
GRADIENT_BLOCKS = {16: 1, 32: 1, 64: 0.5}
ELEMENTWISE_BLOCKS, SUMMING_BLOCKS = 8, 4
Argument = Tensor | int | float


class Kernels(Protocol):
    """Where the kernels run. shared_memory: bytes that a block can have."""

    multiprocessors: int
    shared_memory: int

    def launch(
        self, name: str, grid: tuple[int, int], threads: int, shared: int, arguments: Sequence[Argument], early: bool
    ) -> None:
        """One kernel. early: whether it may begin before the kernel launched before it has ended."""
        ...

    def beside(self) -> AbstractContextManager[None]:
        """What is launched in here may run beside what comes next."""
        ...

    def join(self) -> None:
        """What comes next waits for all of that."""
        ...


@dataclass(frozen=True)
class Shape:
    """One chain's activations: (batch, channels, side, side)."""

    batch: int
    channels: int
    side: int
    device: torch.device

    @classmethod
    def of(cls, x: Tensor) -> "Shape":
        """x: (N, C, H, W)."""
        count, channels, _, side = x.shape
        return cls(count, channels, side, x.device)

    @property
    def pixels(self) -> int:
        """Of the whole batch."""
        return self.batch * self.side**2

    @property
    def tile(self) -> Tile:
        """Of its number of channels."""
        return Tile(self.channels)

    def fits(self, kernels: Kernels) -> bool:
        """Whether the kernels are made for it, a stage of a CIFAR ResNet and whole tiles, and it for this device."""
        known = self.channels in CHANNELS and self.side == self.tile.side and self.pixels % self.tile.pixels == 0
        return known and kernels.shared_memory >= max(self.tile.convolve_shared, self.tile.gradient_shared)

    def empty(self) -> Tensor:
        """(pixels, channels), not filled."""
        return torch.empty(self.pixels, self.channels, dtype=torch.bfloat16, device=self.device)

    def flat(self, x: Tensor) -> Tensor:
        """(N, C, H, W) as bfloat16 (pixels, channels); without a copy where it is that and channels-last."""
        return x.permute(0, 2, 3, 1).reshape(self.pixels, self.channels).to(torch.bfloat16).contiguous()

    def image(self, flat: Tensor) -> Tensor:
        """The other way, channels-last, without a copy."""
        return flat.view(self.batch, self.side, self.side, self.channels).permute(0, 3, 1, 2)


class Engine:
    """The launches on one shape, with the memory that they share. layers: of BatchNorm, each of which has statistics."""

    def __init__(self, shape: Shape, layers: int, kernels: Kernels) -> None:
        self.shape, self.layers, self.kernels = shape, layers, kernels
        self.statistics = torch.empty(layers, 5, shape.channels, device=shape.device)
        self.coefficients = torch.empty(layers, 5, shape.channels, device=shape.device)
        self.counter = torch.zeros(1, dtype=torch.int32, device=shape.device)
        most = max(self._blocks(CONVOLVE_BLOCKS[shape.channels]), self._blocks(SUMMING_BLOCKS))
        self.shares = torch.empty(most, 2, shape.channels, device=shape.device)
        self.kept: list[Tensor] = []
        self.early = False

    def convolve(
        self,
        kind: int,
        x: Tensor,
        w: Tensor,
        layer: int,
        *,
        extra: Tensor | None = None,
        inputs: Tensor | None = None,
        y: Tensor | None = None,
        affine: Tensor | None = None,
        eps: float = 0.0,
    ) -> Tensor:
        """layer: whose statistics are written (FORWARD), or read for the coefficients that are written."""
        shape, out = self.shape, self.shape.empty()
        blocks = min(shape.pixels // shape.tile.pixels, self._blocks(CONVOLVE_BLOCKS[shape.channels]))
        tensors = [x if t is None else t for t in (extra, inputs, y)]
        sums = [self.shares, self.counter, x if affine is None else affine]
        written = [self.statistics[layer], self.coefficients[layer]]
        self._launch(
            f"convolve<{shape.channels}, {kind}>",
            (blocks, 1),
            THREADS,
            shape.tile.convolve_shared,
            [x, w, out, *tensors, shape.pixels, *sums, *written, eps],
        )
        return out

    def statistics_of(self, y: Tensor, layer: int, affine: Tensor, eps: float) -> None:
        """BatchNorm's statistics of what came from elsewhere."""
        arguments: list[Argument] = [y, self._eights, self.shares, self.counter, affine, self.statistics[layer], eps]
        self._elementwise("statistics_of", arguments, SHARED_FOR_SUMS)

    def normalize(self, y: Tensor, layer: int, shortcut: Tensor | None = None) -> Tensor:
        """BatchNorm's result from its statistics, plus the shortcut, and ReLU."""
        out, add = self.shape.empty(), "false" if shortcut is None else "true"
        tensors = [y, y if shortcut is None else shortcut, out]
        self._elementwise("normalize", [*tensors, self._eights, self.statistics[layer]], template=f", {add}")
        return out

    def normalize_backward(self, g: Tensor, y: Tensor, layer: int) -> Tensor:
        """The gradient before BatchNorm."""
        out = self.shape.empty()
        self._elementwise("normalize_backward", [g, y, out, self._eights, self.coefficients[layer]])
        return out

    def relu_backward(self, g: Tensor, x: Tensor, y: Tensor, layer: int) -> Tensor:
        """The gradient before the last block's ReLU."""
        out = self.shape.empty()
        sums = [self.shares, self.counter, self.statistics[layer], self.coefficients[layer]]
        self._elementwise("relu_backward", [g, x, y, out, self._eights, *sums], SHARED_FOR_SUMS)
        return out

    def kernel_gradient(self, x: Tensor, g: Tensor, number: int) -> None:
        """The shares of one kernel's gradient, to `self.gradients`. Nothing in the chain waits for it."""
        tile, out = self.shape.tile, self.gradients[number]
        # The allocator does not know of the other stream: g is kept until the end.
        self.kept.append(g)
        with self.kernels.beside():
            self._launch(
                f"kernel_gradient<{self.shape.channels}>",
                (self.gradients.shape[1], tile.gradient_halves),
                tile.gradient_threads,
                tile.gradient_shared,
                [x, g, out, self.shape.pixels],
            )

    def join(self) -> None:
        """Wait for all kernels' gradients."""
        self.kernels.join()
        self.kept.clear()

    @cached_property
    def gradients(self) -> Tensor:
        """(layers, blocks, 9, channels in, channels out)."""
        c = self.shape.channels
        blocks = min(self.shape.pixels // self.shape.tile.pixels, self._blocks(GRADIENT_BLOCKS[c]))
        return torch.empty(self.layers, blocks, 9, c, c, device=self.shape.device)

    def _elementwise(self, name: str, arguments: Sequence[Argument], shared: int = 0, template: str = "") -> None:
        most = self._blocks(SUMMING_BLOCKS if shared else ELEMENTWISE_BLOCKS)
        grid = min(-(-self._eights // THREADS), most), 1
        self._launch(f"{name}<{self.shape.channels}{template}>", grid, THREADS, shared, arguments)

    def begin(self) -> None:
        """A pass begins: its first kernel waits for PyTorch's before it, whose results the next ones fetch before they wait."""
        self.early = False

    def _launch(
        self, name: str, grid: tuple[int, int], threads: int, shared: int, arguments: Sequence[Argument]
    ) -> None:
        self.kernels.launch(name, grid, threads, shared, arguments, self.early)
        self.early = True

    @property
    def _eights(self) -> int:
        return self.shape.pixels * self.shape.channels // 8

    def _blocks(self, each: float) -> int:
        return max(1, int(self.kernels.multiprocessors * each))
