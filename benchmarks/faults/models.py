"""Small nets in the styles of well-known ones; ResNet-20, 56 and 110 are the package's own."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

CLASSES = 10


class WideBlock(nn.Module):
    """Pre-activation block (Zagoruyko & Komodakis 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.relu = nn.ReLU()
        change = inputs != outputs or stride != 1
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if change else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(x))
        return self.conv2(self.relu(self.bn2(self.conv1(out)))) + self.shortcut(out)


class WideResNet(nn.Module):
    """WRN-16-2: 0.69 million parameters."""

    def __init__(self, widen: int = 2, blocks: int = 2) -> None:
        super().__init__()
        widths = [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        stages = []
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            first = WideBlock(a, b, 1 if i == 0 else 2)
            stages.append(nn.Sequential(first, *(WideBlock(b, b, 1) for _ in range(blocks - 1))))
        self.stages = nn.Sequential(*stages)
        self.bn, self.relu, self.fc = nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.Linear(widths[-1], CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.bn(self.stages(self.conv(x)))).mean((2, 3)))


def vgg16_bn(scale: int = 4) -> nn.Module:
    """VGG-16 with BatchNorm (Simonyan & Zisserman 2015, configuration D), 1/`scale` of its width, one linear layer."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(inputs, width // scale, 3, padding=1), nn.BatchNorm2d(width // scale), nn.ReLU()]
        inputs = width // scale
    return nn.Sequential(nn.Sequential(*layers), nn.Flatten(), nn.Linear(inputs, CLASSES))


def plain_cnn() -> nn.Module:
    """Four convolutions without normalization, dropout, two linear layers: the shape of Keras's old CIFAR-10 example."""

    def pair(inputs: int, outputs: int) -> list[nn.Module]:
        first, second = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        return [first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]

    head = [nn.Flatten(), nn.Linear(64 * 8 * 8, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, CLASSES)]
    return nn.Sequential(*pair(3, 32), *pair(32, 64), *head)


class GroupBlock(nn.Module):
    """Basic residual block with GroupNorm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.GroupNorm(8, outputs)
        self.relu = nn.ReLU(inplace=True)
        change = inputs != outputs or stride != 1
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if change else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        return self.relu(out + self.shortcut(x))


def group_norm_net() -> nn.Module:
    """A ResNet-14 with GroupNorm (Wu & He 2018)."""
    stages = [GroupBlock(16, 16, 1), GroupBlock(16, 16, 1), GroupBlock(16, 32, 2), GroupBlock(32, 32, 1)]
    stages += [GroupBlock(32, 64, 2), GroupBlock(64, 64, 1)]
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.GroupNorm(8, 16), nn.ReLU(inplace=True)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


class VisionTransformer(nn.Module):
    """A small ViT (Dosovitskiy et al. 2021): patches of 4, width 96, depth 4, 3 heads, pre-norm."""

    def __init__(self, width: int = 96, depth: int = 4, heads: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.empty(1, 65, width))
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)
        nn.init.trunc_normal_(self.position, std=0.02)
        nn.init.trunc_normal_(self.head.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.encoder(x))[:, 0])


def mlp() -> nn.Module:
    """3072-512-256-10 with ReLU and a little dropout."""
    hidden = [nn.Linear(3072, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(256, CLASSES))
