"""The ResNets for CIFAR of He et al. 2015 (arXiv:1512.03385, section 4.2 and table 6): 6n + 2 layers, option A shortcuts."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Parameters of ResNet-110 in table 6: "1.7M"; counted: 1,727,962 with 10 classes.
RESNET110_PARAMETERS = 1_727_962
# Table 6: an error of 6.43 % for the best of five runs, 6.61 % on average.
PUBLISHED = ("the mean of five ResNet-110 in He et al. 2015 (table 6)", 93.39)


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm, and a shortcut without parameters (option A: stride, then zero channels)."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride, self.added = stride, channels - channels_in

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C, H / stride, W / stride)."""
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return functional.relu(out + self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        """Every stride-th pixel, and zeros for the channels that x does not have."""
        if self.added == 0 and self.stride == 1:
            return x
        x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))


class CifarResNet(nn.Module):
    """3x3 convolution, three stages of n blocks with 16, 32 and 64 channels, global average pooling, linear layer."""

    def __init__(self, depth: int = 110, num_classes: int = 10) -> None:
        super().__init__()
        if (depth - 2) % 6:
            raise ValueError(f"depth must be 6n + 2 (20, 32, 44, 56, 110), not {depth}")
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, n, 1)
        self.layer2 = _stage(16, 32, n, 2)
        self.layer3 = _stage(32, 64, n, 2)
        self.fc = nn.Linear(64, num_classes)
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) to logits (N, num_classes)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


def _stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = Block(channels_in, channels, stride)
    return nn.Sequential(first, *(Block(channels, channels, 1) for _ in range(blocks - 1)))


def _initialize(module: nn.Module) -> None:
    """He et al. 2015, arXiv:1502.01852: normal with variance 2 / fan; the paper's section 4.2 uses it."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def resnet110(num_classes: int = 10) -> CifarResNet:
    """ResNet-110, n = 18: 1,727,962 parameters with 10 classes."""
    return CifarResNet(110, num_classes)


def resnet20(num_classes: int = 10) -> CifarResNet:
    """ResNet-20, n = 3: 269,722 parameters with 10 classes."""
    return CifarResNet(20, num_classes)


def parameters(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in model.parameters())


def channels_last(model: nn.Module) -> nn.Module:
    """The model with kernels in channels-last order, which convolutions of small images prefer."""
    return model.to(memory_format=torch.channels_last)
