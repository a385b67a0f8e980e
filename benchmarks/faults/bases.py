"""Healthy trainings in different styles, and harmless variations of them: nothing above info may be said of any."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from data import Data, Side
from models import VisionTransformer, WideResNet, group_norm_net, mlp, plain_cnn, vgg16_bn
from parts import Parts
from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, MultiStepLR, OneCycleLR, SequentialLR

from trainingdoctor.reference.resnet import CifarResNet

HE = "He et al. 2015, arXiv:1512.03385, section 4.2"


def sgd(lr: float = 0.1, decay: float = 1e-4, nesterov: bool = False) -> Callable[[nn.Module], SGD]:
    return lambda m: SGD(m.parameters(), lr=lr, momentum=0.9, weight_decay=decay, nesterov=nesterov)


def multistep(*milestones: int, gamma: float = 0.1) -> Callable[[Any, int, int], Any]:
    return lambda o, steps, epochs: MultiStepLR(o, list(milestones), gamma)


def warm_multistep(optimizer: Any, steps: int, epochs: int) -> Any:
    """One epoch at a tenth, as He et al. do for ResNet-110."""
    later = MultiStepLR(optimizer, [80, 121])
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, 1.0, 1), later], milestones=[1])


def cosine(optimizer: Any, steps: int, epochs: int) -> Any:
    return CosineAnnealingLR(optimizer, epochs)


def one_cycle(optimizer: Any, steps: int, epochs: int) -> Any:
    return OneCycleLR(optimizer, optimizer.param_groups[0]["lr"], total_steps=steps * epochs)


def warm_cosine_steps(optimizer: Any, steps: int, epochs: int) -> Any:
    """Linear warm-up over five epochs, then half a cosine; called per step."""
    warm, total = 5 * steps, steps * epochs

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / (total - warm))))

    return LambdaLR(optimizer, factor)


def without_norm_decay(model: nn.Module) -> AdamW:
    """AdamW with decay on matrices only."""
    wide = [p for p in model.parameters() if p.ndim > 1]
    flat = [p for p in model.parameters() if p.ndim <= 1]
    return AdamW([{"params": wide, "weight_decay": 0.05}, {"params": flat, "weight_decay": 0.0}], lr=1e-3)


def resnet(depth: int, **changes: Any) -> Parts:
    tags = {"bn", "conv", "deep", "sgd", "residual", "schedule", "decay", "relu", "resnet"}
    fields: dict[str, Any] = {
        "name": f"resnet{depth}",
        "source": HE,
        "tags": frozenset(tags),
        "model": lambda: CifarResNet(depth),
        "optimizer": sgd(),
        "scheduler": warm_multistep,
        "epochs": 164,
        **changes,
    }
    return Parts(**fields)


BASES: dict[str, Parts] = {
    p.name: p
    for p in (
        resnet(20, scheduler=multistep(82, 123)),
        Parts(
            name="cnn",
            source="Keras team, examples/cifar10_cnn.py: four convolutions, dropout, Adam-type optimizer, shift and flip",
            tags=frozenset({"conv", "plain", "adam", "schedule", "relu", "dropout", "sequential"}),
            model=plain_cnn,
            optimizer=lambda m: Adam(m.parameters(), lr=1e-3),
            scheduler=cosine,
            epochs=60,
            data=Data("numpy", batch_size=64),
        ),
        Parts(
            name="vgg",
            source="Simonyan & Zisserman 2015, arXiv:1409.1556, with BatchNorm; SGD 0.05, decay 5e-4, steps, as public CIFAR-10 repositories do",
            tags=frozenset({"bn", "conv", "deep", "sgd", "schedule", "decay", "relu", "sequential"}),
            model=vgg16_bn,
            optimizer=sgd(0.05, 5e-4),
            scheduler=multistep(75, 120),
            epochs=150,
            data=Data("collate"),
        ),
        Parts(
            name="groupnorm",
            source="Wu & He 2018, arXiv:1803.08494; one-cycle: Smith & Topin 2018, arXiv:1708.07120",
            tags=frozenset({"conv", "deep", "sgd", "residual", "schedule", "decay", "relu", "per-step", "sequential"}),
            model=group_norm_net,
            optimizer=sgd(0.1, 5e-4, nesterov=True),
            scheduler=one_cycle,
            epochs=40,
            data=Data("device"),
            interval="step",
        ),
        Parts(
            name="vit",
            source="Dosovitskiy et al. 2021, arXiv:2010.11929; AdamW, warm-up, label smoothing as in DeiT, Touvron et al. 2021, arXiv:2012.12877",
            tags=frozenset({"attention", "adamw", "schedule", "decay", "per-step"}),
            model=VisionTransformer,
            optimizer=without_norm_decay,
            scheduler=warm_cosine_steps,
            epochs=100,
            data=Data("v2", train=Side(("crop", "flip", "rand"))),
            criterion=nn.CrossEntropyLoss(label_smoothing=0.1),
            interval="step",
            grad_clip=1.0,
        ),
        Parts(
            name="mlp",
            source="Lin et al. 2015, arXiv:1511.02580 (fully connected nets on CIFAR-10); Adam at its default rate, cosine",
            tags=frozenset({"adam", "schedule", "relu", "dropout", "sequential", "flat"}),
            model=mlp,
            optimizer=lambda m: Adam(m.parameters(), lr=1e-3),
            scheduler=cosine,
            epochs=50,
            data=Data("v1"),
        ),
        Parts(
            name="wrn",
            source="Zagoruyko & Komodakis 2016, arXiv:1605.07146: Nesterov 0.1, decay 5e-4, x0.2 at 60, 120, 160 of 200",
            tags=frozenset({"bn", "conv", "deep", "sgd", "residual", "schedule", "decay", "relu"}),
            model=WideResNet,
            optimizer=sgd(0.1, 5e-4, nesterov=True),
            scheduler=multistep(60, 120, 160, gamma=0.2),
            epochs=200,
            data=Data("albumentations"),
        ),
        resnet(56, scheduler=cosine, optimizer=sgd(0.1, 5e-4, nesterov=True), epochs=200, data=Data("v2")),
        resnet(110),
    )
}
# By the seconds of a diagnosis on one core: under 15, under 30, and more (plan.py).
QUICK = ("resnet20", "cnn", "vgg", "mlp")
SLOW = ("groupnorm", "vit", "wrn")
DEEP = ("resnet56", "resnet110")


def head_only(model: nn.Module) -> SGD:
    return SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9, weight_decay=1e-4)
