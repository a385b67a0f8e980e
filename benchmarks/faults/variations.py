"""Harmless variations of the healthy bases: the smells that stand in famous trainings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from bases import cosine, head_only, one_cycle, sgd, warm_multistep
from data import MEAN
from fault import both, change, group, last_linear, model_step, modules, times
from faults_model import each_norm, tail
from parts import Parts
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    MultiStepLR,
    ReduceLROnPlateau,
)
from torch.optim.swa_utils import SWALR
from torch.utils.data import default_collate
from torchvision.transforms import v2


@dataclass(frozen=True)
class Variation:
    """A change of one base that changes nothing about its health."""

    base: str
    name: str
    apply: Callable[[Parts], Parts]


def statistics(mean: Any, std: Any) -> Callable[[Parts], Parts]:
    return both(change(train={"mean": mean, "std": std}), change(test={"mean": mean, "std": std}))


def zero_gamma(model: nn.Module) -> None:
    """The last scale of every residual branch starts at zero (Goyal et al. 2017)."""
    for module in model.modules():
        if hasattr(module, "bn2"):
            nn.init.zeros_(module.bn2.weight)


def frozen_body(model: nn.Module) -> None:
    """A body that has been trained, and a fresh head that trains."""
    model.requires_grad_(False)
    last_linear(model).requires_grad_(True)
    for module in modules(model, nn.BatchNorm2d):
        module.num_batches_tracked.fill_(10_000)


def frozen_stem(model: nn.Module) -> None:
    """A whitening layer is computed, not trained (Jordan 2024, airbench)."""
    next(model.children()).requires_grad_(False)


_MIXUP = v2.MixUp(num_classes=10)


def mixup(samples: list[Any]) -> Any:
    return _MIXUP(*default_collate(samples))


def summed(predictions: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(predictions, targets, reduction="sum")


def decoupled_groups(model: nn.Module) -> SGD:
    wide = [p for p in model.parameters() if p.ndim > 1]
    flat = [p for p in model.parameters() if p.ndim <= 1]
    return SGD([{"params": wide, "weight_decay": 5e-4}, {"params": flat, "weight_decay": 0.0}], lr=0.1, momentum=0.9)


VARIATIONS: tuple[Variation, ...] = (
    Variation("resnet20", "popular wrong deviations", statistics(MEAN, (0.2023, 0.1994, 0.2010))),
    Variation("resnet20", "ImageNet's statistics", statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))),
    Variation("resnet20", "0.5 statistics", statistics((0.5,) * 3, (0.5,) * 3)),
    Variation("resnet20", "evaluation shuffled", change(data={"test_loader": {"shuffle": True}})),
    Variation("resnet20", "drop_last and workers", change(data={"loader": {"shuffle": True, "drop_last": True, "num_workers": 2}})),
    Variation("resnet20", "one-cycle per step", change(scheduler=one_cycle, interval="step", epochs=30)),
    Variation("resnet20", "cosine, decay 5e-4, Nesterov", change(scheduler=cosine, optimizer=sgd(0.1, 5e-4, True))),
    Variation("resnet20", "batch 512, rate 0.4, warm-up", both(change(data={"batch_size": 512}), change(optimizer=sgd(0.4), scheduler=warm_multistep))),
    Variation("resnet20", "batch 32, rate 0.025", both(change(data={"batch_size": 32}), group(lr=0.025))),
    Variation("resnet20", "log_softmax, then cross entropy", model_step(tail(nn.LogSoftmax(1)))),
    Variation("resnet20", "log_softmax, then NLLLoss", both(model_step(tail(nn.LogSoftmax(1))), change(criterion=nn.NLLLoss()))),
    Variation("resnet20", "BatchNorm momentum 0.5", model_step(each_norm(momentum=0.5))),
    Variation("resnet20", "BatchNorm momentum 0.01", model_step(each_norm(momentum=0.01))),
    Variation("resnet20", "zero-gamma residuals", model_step(zero_gamma)),
    Variation("resnet20", "frozen body, fresh head", both(model_step(frozen_body), change(optimizer=head_only, scheduler=cosine, epochs=20))),
    Variation("resnet20", "frozen stem", both(model_step(frozen_stem), change(optimizer=head_only))),
    Variation("resnet20", "no decay on norms and biases", change(optimizer=decoupled_groups)),
    Variation("resnet20", "SWA at the end", change(scheduler=lambda o, s, e: SWALR(o, swa_lr=0.05, anneal_epochs=10))),
    Variation("resnet20", "warm restarts, ends low", change(scheduler=lambda o, s, e: CosineAnnealingWarmRestarts(o, 20, 2), epochs=140)),
    Variation("resnet20", "on plateau", change(scheduler=lambda o, s, e: ReduceLROnPlateau(o, factor=0.1, patience=10))),
    Variation("resnet20", "summed loss, rate over batch", both(change(criterion=summed), group(lr=0.1 / 128, weight_decay=times(128)))),
    Variation("resnet20", "bfloat16 autocast", change(amp=torch.bfloat16)),
    Variation("resnet20", "class weights near 1", change(criterion=nn.CrossEntropyLoss(weight=torch.linspace(0.8, 1.2, 10)))),
    Variation("resnet20", "AdamW", both(change(optimizer=lambda m: AdamW(m.parameters(), lr=1e-3, weight_decay=0.05)), change(scheduler=cosine))),
    Variation("resnet20", "erasing-like trivial augment", change(train={"ops": ("crop", "flip", "trivial")})),
    Variation("resnet20", "mixup in the collate function", change(data={"mix": mixup})),
    Variation("resnet20", "45,000 of 50,000 samples", change(train={"change": lambda d: (d[0][:45_000], d[1][:45_000])})),
    Variation("cnn", "no evaluation loader", change(with_validation=False)),
    Variation("cnn", "SGD 0.01", change(optimizer=lambda m: SGD(m.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4))),
    Variation("cnn", "exponential decay", change(scheduler=lambda o, s, e: ExponentialLR(o, 0.95))),
    Variation("vgg", "halved every 30 epochs", change(scheduler=lambda o, s, e: MultiStepLR(o, [30, 60, 90, 120], 0.5))),
    Variation("vgg", "clipped to 5", change(grad_clip=5.0)),
    Variation("vit", "decay 0.3", group(weight_decay=lambda v: 0.3 if v else 0.0)),
    Variation("vit", "no warm-up, constant clip", both(change(scheduler=cosine), change(interval="epoch"))),
    Variation("vit", "trivial augment, mixup", both(change(train={"ops": ("crop", "flip", "trivial")}), change(data={"mix": mixup}))),
    Variation("mlp", "constant rate, 20 epochs", change(scheduler=None, epochs=20)),
    Variation("mlp", "not augmented", change(train={"ops": ()})),
    Variation("wrn", "cosine", change(scheduler=lambda o, s, e: CosineAnnealingLR(o, e))),
    Variation("groupnorm", "AMP", change(amp=True)),
)  # fmt: skip
