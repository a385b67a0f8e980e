"""Faults of structure, BatchNorm placement, freezing and loading: model -> model, for the ResNet of the other cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import SGD


def plain_net(count: int, activation: Callable[[], nn.Module], *, norm: bool = True) -> nn.Module:
    """Convolutions one after the other: 16, 32 and 64 channels, as in the ResNets."""
    layers: list[nn.Module] = []
    width = 3
    for i in range(count):
        stage = 3 * i // count
        wider = 16 * 2**stage
        layers.append(nn.Conv2d(width, wider, 3, 2 if i and wider > width else 1, 1, bias=not norm))
        layers += [nn.BatchNorm2d(wider)] if norm else []
        layers.append(activation())
        width = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def one_unit(model: nn.Module) -> None:
    model.fc = nn.Sequential(nn.Linear(64, 1), nn.ReLU(), nn.Linear(1, 10))


def saturated(_: nn.Module) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(3072, 128), nn.Tanh()]
    for _ in range(3):
        layers += [nn.Linear(128, 128), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(128, 10))
    for module in model[:-1]:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=5 / module.in_features**0.5)
    return model


def blocks(model: nn.Module) -> Iterator[Any]:
    for stage in (model.layer1, model.layer2, model.layer3):
        yield from stage


def shared_norms(model: nn.Module) -> None:
    for block in blocks(model):
        block.bn2 = block.bn1


def large_eps(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 10.0


def frozen_by_attribute(model: nn.Module) -> None:
    model.layer1.requires_grad = False


def frozen_by_typo(model: nn.Module) -> None:
    for parameter in model.layer1.parameters():
        parameter.require_grad = False


def frozen_but_norms(model: nn.Module) -> None:
    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(True)


def partly_loaded(model: nn.Module) -> None:
    """Every scale and shift as training leaves them, and layer2 as it was made."""
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and not name.startswith("layer2"):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)


def stale_spectral_norm(model: nn.Module) -> None:
    """The estimates are made, then other weights are put in, and the layers stay in eval mode."""
    for block in model.layer3:
        nn.utils.parametrizations.spectral_norm(block.conv1)
        with torch.no_grad():
            block.conv1.parametrizations.weight.original.normal_(std=0.1)
        for module in block.conv1.modules():
            module.eval()
            module.train = lambda mode=True, module=module: module


def head_only(model: nn.Module) -> SGD:
    return SGD(model.fc.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


# name -> (expected root cause, what is replaced)
MODEL_FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "forty plain convolutions": ("model.no_residual", {"model": lambda m: plain_net(40, nn.ReLU)}),
    "no activations": ("model.activation_missing", {"model": lambda m: plain_net(8, nn.Identity)}),
    "sigmoids without normalization": (
        "model.saturated_activation",
        {"model": lambda m: plain_net(6, nn.Sigmoid, norm=False)},
    ),
    "saturated tanh": ("model.saturated_activation", {"model": saturated}),
    "softmax in hidden layers": (
        "model.saturated_activation",
        {"model": lambda m: plain_net(4, lambda: nn.Softmax(1))},
    ),
    "ReLU on logits": ("model.relu_on_logits", {"model": lambda m: nn.Sequential(m, nn.ReLU())}),
    "tanh on logits": ("model.relu_on_logits", {"model": lambda m: nn.Sequential(m, nn.Tanh())}),
    "one hidden unit": ("model.capacity", {"model": one_unit}),
    "BatchNorm shared": ("batchnorm.shared", {"model": shared_norms}),
    "BatchNorm eps 10": ("batchnorm.eps", {"model": large_eps}),
    "frozen by attribute": ("model.freeze_without_effect", {"model": frozen_by_attribute}),
    "frozen by typo": ("model.freeze_without_effect", {"model": frozen_by_typo}),
    "all but BatchNorm frozen": (
        "optimizer.frozen_parameters",
        {"model": frozen_but_norms, "optimizer": head_only},
    ),
    "partly loaded": ("init.pretrained_partial", {"model": partly_loaded}),
    "spectral norm stale": ("init.spectral_norm", {"model": stale_spectral_norm}),
}
