"""The CIFAR ResNet on the fused kernels while it trains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainingdoctor.reference.fused.chain import Chain, Plan
from trainingdoctor.reference.fused.cuda import CudaKernels
from trainingdoctor.reference.fused.engine import MEAN, VARIANCE, Kernels, Shape
from trainingdoctor.reference.resnet import Block, CifarResNet

KernelsOf = Callable[[torch.device], Kernels]


@cache
def on_cuda(device: torch.device) -> Kernels:
    """Those of one GPU, compiled once."""
    return CudaKernels(device)


def is_as_built(model: nn.Module) -> bool:
    """Whether it is the CIFAR ResNet as this package builds it: the kernels would not see what somebody has changed in it."""
    if type(model) is not CifarResNet:
        return False
    with torch.device("meta"):
        built = CifarResNet(2 + 6 * len(model.layer1), model.fc.out_features)
    return (
        repr(model) == repr(built)
        and all(p.dtype == torch.float32 for p in model.parameters())
        and not any({"forward", "shortcut"} & set(vars(m)) or _hooks(m) for m in model.modules())
    )


def _hooks(module: nn.Module) -> list[object]:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [hook for kind in kinds for hook in getattr(module, kind).values()]


def fuse(model: CifarResNet, kernels: KernelsOf = on_cuda) -> None:
    """Let the model train on the fused kernels. Its parameters, buffers and their names stay as they are.

    In evaluation, in another precision than bfloat16, and for what the kernels are not made for, all is as before.
    """
    plain = model.forward
    stages = [_stage(model, blocks, kernels) for blocks in (model.layer1, model.layer2, model.layer3)]

    def forward(x: Tensor) -> Tensor:
        if x.requires_grad or not (model.training and torch.is_grad_enabled() and _in_bfloat16(x.device)):
            return plain(x)
        for stage in stages:
            x = stage(x)
        return model.fc(x.mean((2, 3)))  # type: ignore[no-any-return]

    model.forward = forward  # type: ignore[method-assign]


def _in_bfloat16(device: torch.device) -> bool:
    return torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype(device.type) == torch.bfloat16


@dataclass(frozen=True)
class Links:
    """The chain of one stage: its convolutions and all its BatchNorms, in order, by the way in."""

    entry: str
    kernels: KernelsOf
    convolutions: list[nn.Conv2d] = field(default_factory=list)
    norms: list[nn.BatchNorm2d] = field(default_factory=list)

    def add(self, blocks: Sequence[Block]) -> "Links":
        """With blocks of the chain's own shape behind."""
        for block in blocks:
            self.convolutions.extend((block.conv1, block.conv2))
            self.norms.extend((block.bn1, block.bn2))
        return self

    def fit(self, x: Tensor, channels: int, side: int) -> bool:
        """Whether the kernels can have it, and all BatchNorms take their statistics from the batch, in one way."""
        shape = Shape(len(x), channels, side, x.device)
        usual = all(n.training and n.track_running_stats and n.affine and n.momentum is not None for n in self.norms)
        usual = usual and len({(n.eps, n.momentum) for n in self.norms}) == 1
        return usual and shape.fits(self.kernels(x.device))

    def __call__(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Forward, and the running statistics."""
        kernels = [_widened(c.weight) for c in self.convolutions]
        plan = Plan(self.entry, len(self.norms), self.norms[0].eps, self.kernels)
        affine = [n.weight for n in self.norms], [n.bias for n in self.norms]
        out, statistics = Chain.apply(x, shortcut, plan, *kernels, *affine[0], *affine[1])
        _follow(self.norms, statistics)
        return out  # type: ignore[no-any-return]


def _stage(model: CifarResNet, stage: nn.Sequential, kernels: KernelsOf) -> Callable[[Tensor], Tensor]:
    """The forward pass of one stage; of the first one, from the images on."""
    blocks = [block for block in stage if isinstance(block, Block)]
    head, rest = blocks[0], blocks[1:]
    if stage is model.layer1:
        stem = Links("stem", kernels, [model.conv1], [model.bn1]).add(blocks)

        def first(x: Tensor) -> Tensor:
            if stem.fit(x, model.conv1.out_channels, x.shape[-1]):
                return stem(_widened(x))
            return stage(functional.relu(model.bn1(model.conv1(x))))  # type: ignore[no-any-return]

        return first
    middle = Links("middle", kernels, [head.conv2], [head.bn1, head.bn2]).add(rest)

    def later(x: Tensor) -> Tensor:
        if middle.fit(x, head.conv1.out_channels, x.shape[-1] // head.stride):
            return middle(head.conv1(x), head.shortcut(x))
        return stage(x)  # type: ignore[no-any-return]

    return later


def _widened(x: Tensor) -> Tensor:
    """Images of 3 channels, and their kernels, with zero channels up to 16, which the kernels are made for."""
    return x if x.shape[1] != 3 else functional.pad(x, (0, 0, 0, 0, 0, 13))


@torch.no_grad()
def _follow(norms: Sequence[nn.BatchNorm2d], statistics: Tensor) -> None:
    """Running statistics, as BatchNorm keeps them."""
    momentum = norms[0].momentum or 0.0
    for row, name in ((MEAN, "running_mean"), (VARIANCE, "running_var")):
        torch._foreach_lerp_([getattr(n, name) for n in norms], list(statistics[:, row].unbind(0)), momentum)
    torch._foreach_add_([n.num_batches_tracked for n in norms if n.num_batches_tracked is not None], 1)
