"""Healthy models of many kinds, small: the areas model, init, batchnorm and loss say nothing above info about them."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision.models import VisionTransformer

from trainingdoctor import Training, diagnose
from trainingdoctor.reference.resnet import CifarResNet
from trainingdoctor.settings import Settings

AREAS = ("model", "init", "batchnorm", "loss", "optimizer")


def conv_block(inputs: int, outputs: int, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), norm(outputs), nn.ReLU()]


def pooled(width: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4)]


class Blocks(nn.Module):
    """Residual branches, each times a scale of its own."""

    def __init__(self, branches: list[nn.Module], scale: float, width: int = 16) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, width, 3, padding=1), nn.Linear(width, 4)
        self.branches = nn.ModuleList(branches)
        self.scales = nn.ParameterList(nn.Parameter(torch.full((width, 1, 1), scale)) for _ in branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for branch, scale in zip(self.branches, self.scales, strict=True):
            x = x + scale * branch(F.relu(x))
        return self.head(x.mean((2, 3)))


def fixup() -> nn.Module:
    branches = [
        nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1)) for _ in range(4)
    ]
    model = Blocks(list(branches), 1.0)
    for branch in branches:
        nn.init.zeros_(branch[2].weight)
    nn.init.zeros_(model.head.weight)
    return model


def layer_scale() -> nn.Module:
    def branch() -> nn.Module:
        return nn.Sequential(nn.GroupNorm(1, 16), nn.Conv2d(16, 64, 1), nn.GELU(), nn.Conv2d(64, 16, 1))

    return Blocks([branch() for _ in range(4)], 1e-6)


class LowRank(nn.Module):
    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(2, layer.in_features) / math.sqrt(layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + x @ self.down.T @ self.up.T


def vision_transformer(*, lora: bool = False) -> nn.Module:
    model = VisionTransformer(
        image_size=12, patch_size=4, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=4
    )
    if lora:
        model.requires_grad_(False)
        model.heads.requires_grad_(True)
        for block in model.encoder.layers:
            block.mlp[0] = LowRank(block.mlp[0])
    return model


def plain(count: int, initialize: Callable[[torch.Tensor], Any]) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(432, 64), nn.ReLU()]
    for _ in range(count):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(64, 4))
    for module in model:
        if isinstance(module, nn.Linear):
            initialize(module.weight)
            nn.init.zeros_(module.bias)
    return model


def squeezenet_like() -> nn.Module:
    convolutions = [nn.Conv2d(3 if i == 0 else 16, 16, 3, padding=1) for i in range(10)]
    for layer in convolutions:
        nn.init.kaiming_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    layers = [m for layer in convolutions for m in (layer, nn.ReLU())]
    last = nn.Conv2d(16, 4, 1)
    nn.init.normal_(last.weight, std=0.01)
    return nn.Sequential(*layers, last, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def depthwise_separable() -> nn.Module:
    layers = conv_block(3, 16)
    for _ in range(3):
        layers += [nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*layers, *pooled(16))


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_block(3, 8), *conv_block(8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.body(x), self.body(x.flip(3))], 1))


def lenet(activation: type[nn.Module]) -> nn.Module:
    features = [nn.Conv2d(3, 6, 3, padding=1), activation(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), activation()]
    return nn.Sequential(*features, nn.Flatten(), nn.Linear(256, 32), activation(), nn.Linear(32, 4))


def fine_tuned() -> nn.Module:
    """Trained for some steps, and given a new head."""
    model = CifarResNet(8, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(IMAGES.tensors[0][:32]), IMAGES.tensors[1][:32]).backward()
        optimizer.step()
    model.zero_grad(set_to_none=True)
    model.fc = nn.Linear(64, 4)
    return model


def images() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(96, 3, 12, 12, generator=generator), torch.arange(96) % 4)


IMAGES = images()

MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet-20": lambda: CifarResNet(20, 4),
    "fixup": fixup,
    "layer scale": layer_scale,
    "vit": vision_transformer,
    "vit with lora": lambda: vision_transformer(lora=True),
    "groupnorm": lambda: nn.Sequential(
        *conv_block(3, 16, lambda c: nn.GroupNorm(4, c)), *conv_block(16, 16, lambda c: nn.GroupNorm(4, c)), *pooled(16)
    ),
    "deep kaiming mlp": lambda: plain(9, nn.init.kaiming_normal_),
    "deep xavier mlp": lambda: plain(6, nn.init.xavier_uniform_),
    "orthogonal mlp": lambda: plain(2, lambda w: nn.init.orthogonal_(w, math.sqrt(2))),
    "logistic regression": lambda: nn.Sequential(nn.Flatten(), nn.Linear(432, 4)),
    "squeezenet-like": squeezenet_like,
    "depthwise separable": depthwise_separable,
    "siamese": Siamese,
    "lenet with tanh": lambda: lenet(nn.Tanh),
    "lenet with sigmoid": lambda: lenet(nn.Sigmoid),
    "fine-tuned": fine_tuned,
}


def alarms(training: Training) -> list[str]:
    report = diagnose(training, settings=Settings(quick=True, select=AREAS))
    assert [r.code for r in report.results if r.outcome == "crashed"] == []
    return [f.code for f in report.findings if f.severity != "info"]


def trained(model: nn.Module, data: Dataset[Any], criterion: Any) -> Training:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    loader = DataLoader(data, batch_size=32, shuffle=True)
    return Training(model=model, train_loader=loader, criterion=criterion, optimizer=optimizer, epochs=10)


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_image_models(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    assert alarms(trained(build(), IMAGES, nn.CrossEntropyLoss())) == []


class Language(nn.Module):
    """Embedding and output share one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 32), nn.Linear(32, 50, bias=False)
        self.block = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(32)
        nn.init.normal_(self.table.weight, std=0.02)
        self.head.weight = self.table.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.block(self.table(x)))).transpose(1, 2)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.lstm, self.head = nn.Embedding(50, 8), nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 50)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.table(x))[0]).transpose(1, 2)


@pytest.mark.parametrize("model", [Language, Recurrent])
def test_text_models(model: type[nn.Module]) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, 50, (96, 12))
    assert alarms(trained(model(), TensorDataset(tokens, tokens.roll(-1, 1)), nn.CrossEntropyLoss())) == []


OTHERS = {
    "positive by ReLU": lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), nn.ReLU()),
    "positive by softplus": lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus()),
    "linear regression": lambda: nn.Linear(8, 1),
}


@pytest.mark.parametrize("model", OTHERS.values(), ids=OTHERS)
def test_regressions(model: Callable[[], nn.Module]) -> None:
    # One initialization in so many has a last ReLU that is dead on every sample, which is a fault.
    torch.manual_seed(0)
    x = torch.randn(96, 8, generator=torch.Generator().manual_seed(0))
    assert alarms(trained(model(), TensorDataset(x, x[:, :1].abs() + 1), nn.MSELoss())) == []


def test_a_linear_autoencoder() -> None:
    x = torch.randn(96, 32, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(32, 4), nn.Linear(4, 32))
    assert alarms(trained(model, TensorDataset(x, x), nn.MSELoss())) == []
