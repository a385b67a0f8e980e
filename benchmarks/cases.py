"""The cured CIFAR ResNet in parts, and a function per fault: the trainings of `peers` and `data_checks.py`."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model_faults import MODEL_FAULTS
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms as T

from trainingdoctor import Training
from trainingdoctor.reference.resnet import CifarResNet

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
from cifar import cifar10

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
NORMALIZE = T.Normalize(MEAN, STD)
CROP, FLIP = T.RandomCrop(32, padding=4), T.RandomHorizontalFlip()


@dataclass
class Case:
    """A training before it is built. Each field may be replaced by a fault."""

    depth: int = 110
    train: list[Any] = field(default_factory=lambda: [CROP, FLIP, T.ToTensor(), NORMALIZE])
    test: list[Any] = field(default_factory=lambda: [T.ToTensor(), NORMALIZE])
    wrap: Callable[[Dataset], Dataset] = lambda d: d
    loader: dict[str, Any] = field(default_factory=lambda: {"batch_size": 128, "shuffle": True})
    model: Callable[[nn.Module], nn.Module | None] = lambda m: None
    criterion: Any = field(default_factory=nn.CrossEntropyLoss)
    optimizer: Callable[[nn.Module], Any] = lambda m: SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    after_optimizer: Callable[[nn.Module, Any], nn.Module | None] = lambda m, o: None
    scheduler: Callable[[Any], Any] = lambda o: _warm(o, MultiStepLR(o, [80, 121]))
    after_scheduler: Callable[[Any], None] = lambda o: None
    epochs: int = 164
    interval: str = "epoch"

    def build(self) -> Training:
        """The training with this case's parts."""
        torch.manual_seed(0)
        train, test = cifar10(T.Compose(self.train), T.Compose(self.test))
        model: nn.Module = CifarResNet(self.depth)
        model = self.model(model) or model
        optimizer = self.optimizer(model)
        model = self.after_optimizer(model, optimizer) or model
        scheduler = self.scheduler(optimizer)
        self.after_scheduler(optimizer)
        return Training(
            model=model,
            train_loader=DataLoader(self.wrap(train), **self.loader),
            val_loader=DataLoader(test, batch_size=256),
            criterion=self.criterion,
            optimizer=optimizer,
            scheduler=scheduler,
            epochs=self.epochs,
            scheduler_interval=self.interval,
        )


def _warm(optimizer: Any, scheduler: Any) -> Any:
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, 1.0, 1), scheduler], milestones=[1])


class Cached(Dataset):
    """Keeps the first, augmented draw of every sample."""

    def __init__(self, inner: Dataset) -> None:
        self.inner, self.kept, self.targets = inner, {}, inner.targets

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, i: int) -> Any:
        if i not in self.kept:
            self.kept[i] = self.inner[i]
        return self.kept[i]


class Reseeded(Cached):
    """Seeds the random state with the index before every draw."""

    def __getitem__(self, i: int) -> Any:
        torch.manual_seed(i)
        return self.inner[i]


class OwnGenerator(Cached):
    """Noise and shifts from a NumPy generator that the data set owns, and that every worker copies."""

    def __init__(self, inner: Dataset) -> None:
        super().__init__(inner)
        inner.transform = T.Compose([T.ToTensor(), NORMALIZE])
        self.rng = np.random.default_rng(0)

    def __getitem__(self, i: int) -> Any:
        image, label = self.inner[i]
        dy, dx = self.rng.integers(-4, 5, 2)
        image = torch.roll(image, (int(dy), int(dx)), (1, 2))
        return (image.flip(2) if self.rng.random() < 0.5 else image), label


class Relabelled(Cached):
    """Labels from 1 to 10."""

    def __init__(self, inner: Dataset) -> None:
        super().__init__(inner)
        self.targets = [t + 1 for t in inner.targets]

    def __getitem__(self, i: int) -> Any:
        image, label = self.inner[i]
        return image, label + 1


class Raw:
    """Pixels of 0 to 255 as floats."""

    def __call__(self, image: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


class Detached(nn.Module):
    """A head on features that are cut from the graph."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(10, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).detach())


class Constant(nn.Module):
    """Forgets its input."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x * 0)


class FunctionalDropout(nn.Module):
    """Dropout that does not know the mode."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(self.body(x), 0.3)


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def each_norm(**values: Any) -> Callable[[nn.Module], None]:
    def spoil(model: nn.Module) -> None:
        for module in norms(model):
            for name, value in values.items():
                setattr(module, name, value)

    return spoil


def norms_to_eval(model: nn.Module) -> None:
    for module in norms(model):
        module.eval()


def norms_stuck_in_eval(model: nn.Module) -> None:
    for module in norms(model):
        module.eval()
        module.train = lambda mode=True, module=module: module


def untracked(model: nn.Module) -> None:
    for module in norms(model):
        module.track_running_stats = False
        module.running_mean = module.running_var = module.num_batches_tracked = None


def stale(model: nn.Module) -> None:
    """A model that has learned something, with running statistics half a deviation off."""
    data, _ = cifar10(T.Compose([T.ToTensor(), NORMALIZE]), T.ToTensor())
    optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
    for step, (x, y) in enumerate(DataLoader(data, batch_size=64, shuffle=True)):
        if step == 80:
            break
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    for module in norms(model):
        module.running_mean += 0.5 * module.running_var.sqrt()


def weights(function: Callable[[torch.Tensor], Any]) -> Callable[[nn.Module], None]:
    def spoil(model: nn.Module) -> None:
        for parameter in model.parameters():
            if parameter.ndim > 1:
                with torch.no_grad():
                    function(parameter)

    return spoil


def tiled(weight: torch.Tensor) -> None:
    weight.copy_(weight[:1, :1].expand_as(weight))


def dead(model: nn.Module) -> None:
    for block in (*model.layer2, *model.layer3):
        nn.init.constant_(block.bn1.bias, -6.0)


def big_head(model: nn.Module) -> None:
    with torch.no_grad():
        model.fc.weight.mul_(100)


def frozen_head(model: nn.Module) -> None:
    model.fc.requires_grad_(False)


def frozen_all(model: nn.Module) -> None:
    model.requires_grad_(False)


def with_tail(*tail: nn.Module) -> Callable[[nn.Module], nn.Module]:
    return lambda model: nn.Sequential(model, *tail)


def dropout_before_norm(model: nn.Module) -> None:
    for block in model.layer1:
        block.conv1 = nn.Sequential(block.conv1, nn.Dropout(0.5))


def dropout_head(p: float) -> Callable[[nn.Module], None]:
    def spoil(model: nn.Module) -> None:
        model.fc = nn.Sequential(nn.Dropout(p), model.fc)

    return spoil


def coarse_stem(model: nn.Module) -> None:
    model.conv1 = nn.Sequential(nn.Conv2d(3, 16, 7, 4, 3, bias=False), nn.MaxPool2d(2))


def sgd(**changes: Any) -> Callable[[nn.Module], SGD]:
    numbers = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, **changes}
    return lambda model: SGD(model.parameters(), **numbers)


def adam(**numbers: Any) -> Callable[[nn.Module], Adam]:
    return lambda model: Adam(model.parameters(), **numbers)


def adamw(**numbers: Any) -> Callable[[nn.Module], torch.optim.AdamW]:
    return lambda model: torch.optim.AdamW(model.parameters(), **numbers)


def head_only(model: nn.Module) -> SGD:
    return SGD(model.fc.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


def without_head(model: nn.Module) -> SGD:
    body = [p for n, p in model.named_parameters() if not n.startswith("fc")]
    return SGD(body, lr=0.1, momentum=0.9, weight_decay=1e-4)


def twice(model: nn.Module) -> list[SGD]:
    return [sgd()(model), SGD(model.fc.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)]


def replaced_layers(model: nn.Module, _: Any) -> None:
    model.layer3 = copy.deepcopy(model.layer3)


def copied(model: nn.Module, _: Any) -> nn.Module:
    return copy.deepcopy(model)


def set_rate(value: float) -> Callable[[Any], None]:
    def spoil(optimizer: Any) -> None:
        for group in optimizer.param_groups:
            group["lr"] = value

    return spoil


def other_scheduler(optimizer: Any) -> Any:
    return MultiStepLR(SGD([torch.zeros(1, requires_grad=True)], lr=0.1), [80, 121])


def first_of(optimizer: Any) -> Any:
    return MultiStepLR(optimizer[0], [80, 121])


def rows(count: int) -> Callable[[Dataset], Dataset]:
    return lambda data: Subset(data, range(count))


def imbalanced(data: Dataset) -> Dataset:
    seen = {0: 0}
    kept = []
    for i, target in enumerate(data.targets):
        seen[target] = seen.get(target, 0) + 1
        if target or seen[0] <= 200:
            kept.append(i)
    return Subset(data, kept)


def sorted_by_class(data: Dataset) -> Dataset:
    return Subset(data, sorted(range(len(data)), key=data.targets.__getitem__))


def without_class(data: Dataset) -> Dataset:
    return Subset(data, [i for i, t in enumerate(data.targets) if t != 3])


# name -> (expected root cause, what is replaced)
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "augmentation removed": ("augmentation.missing", {"train": [T.ToTensor(), NORMALIZE]}),
    "flip only": ("augmentation.weak", {"train": [FLIP, T.ToTensor(), NORMALIZE]}),
    "colour only": ("augmentation.weak", {"train": [T.ColorJitter(0.3, 0.3, 0.3), T.ToTensor(), NORMALIZE]}),
    "augmented test set": ("augmentation.on_evaluation", {"test": [CROP, FLIP, T.ToTensor(), NORMALIZE]}),
    "augmentation cached": ("augmentation.frozen", {"wrap": Cached}),
    "reseeded per sample": ("augmentation.frozen", {"wrap": Reseeded}),
    "workers share a generator": (
        "augmentation.same_in_workers",
        {"wrap": OwnGenerator, "loader": {"batch_size": 128, "shuffle": True, "num_workers": 2}},
    ),
    "not normalized (0..1)": ("normalization.missing", {"train": [CROP, FLIP, T.ToTensor()], "test": [T.ToTensor()]}),
    "raw pixels (0..255)": ("normalization.missing", {"train": [CROP, FLIP, Raw()], "test": [Raw()]}),
    "normalized twice": (
        "normalization.wrong_statistics",
        {"train": [CROP, FLIP, T.ToTensor(), NORMALIZE, NORMALIZE], "test": [T.ToTensor(), NORMALIZE, NORMALIZE]},
    ),
    "variance for deviation": (
        "normalization.wrong_statistics",
        {
            "train": [CROP, FLIP, T.ToTensor(), T.Normalize(MEAN, [s * s for s in STD])],
            "test": [T.ToTensor(), T.Normalize(MEAN, [s * s for s in STD])],
        },
    ),
    "test set not normalized": ("normalization.train_eval_mismatch", {"test": [T.ToTensor()]}),
    "BatchNorm momentum 0.99": ("batchnorm.momentum", {"model": each_norm(momentum=0.99)}),
    "BatchNorm momentum 0": ("batchnorm.momentum", {"model": each_norm(momentum=0.0)}),
    "BatchNorm momentum 1e-6": ("batchnorm.momentum", {"model": each_norm(momentum=1e-6)}),
    "BatchNorm in eval mode": ("batchnorm.eval_in_training", {"model": norms_to_eval}),
    "BatchNorm stuck in eval mode": ("batchnorm.eval_in_training", {"model": norms_stuck_in_eval}),
    "BatchNorm untracked": ("batchnorm.untracked", {"model": untracked}),
    "BatchNorm statistics stale": ("batchnorm.statistics_stale", {"model": stale}),
    "batches of 4": ("batchnorm.small_batch", {"loader": {"batch_size": 4, "shuffle": True}}),
    "rate 1": ("lr.too_high", {"optimizer": sgd(lr=1.0)}),
    "rate 10": ("lr.too_high", {"optimizer": sgd(lr=10.0)}),
    "rate 1e-6": ("lr.too_low", {"optimizer": sgd(lr=1e-6)}),
    "no schedule": ("schedule.missing", {"scheduler": lambda o: None}),
    "milestones after the end": ("schedule.never_decays", {"scheduler": lambda o: MultiStepLR(o, [200, 300])}),
    "milestones in steps": ("schedule.step_unit", {"scheduler": lambda o: MultiStepLR(o, [32_000, 48_000])}),
    "T_max in steps": ("schedule.step_unit", {"scheduler": lambda o: CosineAnnealingLR(o, 164 * 391)}),
    "epochs stepped per batch": (
        "schedule.step_unit",
        {"scheduler": lambda o: MultiStepLR(o, [80, 121]), "interval": "step"},
    ),
    "decays in 15 epochs": ("schedule.decays_too_early", {"scheduler": lambda o: MultiStepLR(o, [5, 10, 15])}),
    "cosine cut short": ("schedule.ends_high", {"scheduler": lambda o: CosineAnnealingLR(o, 300)}),
    "cosine climbs again": ("schedule.restarts_at_end", {"scheduler": lambda o: CosineAnnealingLR(o, 100)}),
    "warm-up never ends": ("schedule.warmup_stuck", {"scheduler": lambda o: LinearLR(o, 0.01, 1.0, 400)}),
    "rate set by hand": (
        "schedule.overridden",
        {"scheduler": lambda o: MultiStepLR(o, [80, 121]), "after_scheduler": set_rate(0.01)},
    ),
    "rate 0": ("schedule.zero_rate", {"after_scheduler": set_rate(0.0), "scheduler": lambda o: None}),
    "scheduler of another optimizer": ("schedule.wrong_optimizer", {"scheduler": other_scheduler}),
    "optimizer holds the head only": ("optimizer.missing_parameters", {"optimizer": head_only}),
    "optimizer lacks the head": ("optimizer.missing_parameters", {"optimizer": without_head}),
    "layers replaced after optimizer": ("optimizer.stale_parameters", {"after_optimizer": replaced_layers}),
    "optimizer of another model": ("optimizer.stale_parameters", {"after_optimizer": copied}),
    "head in two optimizers": ("optimizer.duplicated", {"optimizer": twice, "scheduler": first_of}),
    "no momentum": ("optimizer.no_momentum", {"optimizer": sgd(momentum=0.0)}),
    "momentum 0.999": ("optimizer.betas", {"optimizer": sgd(momentum=0.999)}),
    "Adam with L2": ("optimizer.coupled_decay", {"optimizer": adam(lr=1e-3, weight_decay=1e-2)}),
    "Adam with eps 0.1": ("optimizer.epsilon", {"optimizer": adamw(lr=1e-3, eps=0.1, weight_decay=0.05)}),
    "maximize": ("optimizer.negative", {"optimizer": sgd(maximize=True)}),
    "no weight decay": ("decay.missing", {"optimizer": sgd(weight_decay=0.0)}),
    "weight decay 0.1": ("decay.too_strong", {"optimizer": sgd(weight_decay=0.1)}),
    "weight decay 1e-7": ("decay.too_weak", {"optimizer": sgd(weight_decay=1e-7)}),
    "dropout 0.9": ("dropout.too_high", {"model": dropout_head(0.9)}),
    "dropout before BatchNorm": ("dropout.before_batchnorm", {"model": dropout_before_norm}),
    "dropout on in eval": ("dropout.without_mode", {"model": FunctionalDropout}),
    "constant weights": ("init.constant", {"model": weights(lambda w: w.fill_(0.01))}),
    "zero weights": ("init.zero", {"model": weights(lambda w: w.zero_())}),
    "identical units": ("init.identical_units", {"model": weights(tiled)}),
    "weights N(0, 1)": ("init.scale", {"model": weights(lambda w: w.normal_())}),
    "head times 100": ("init.logits_scale", {"model": big_head}),
    "dead units": ("init.dead_relu", {"model": dead}),
    "softmax before cross entropy": ("loss.softmax_before_cross_entropy", {"model": with_tail(nn.Softmax(1))}),
    "logits into NLLLoss": ("loss.softmax_before_cross_entropy", {"criterion": nn.NLLLoss()}),
    "loss negated": ("loss.sign", {"criterion": lambda p, y: -nn.functional.cross_entropy(p, y)}),
    "loss summed": ("loss.reduction", {"criterion": nn.CrossEntropyLoss(reduction="sum")}),
    "loss not reduced": ("loss.reduction", {"criterion": nn.CrossEntropyLoss(reduction="none")}),
    "labels from 1": ("labels.out_of_range", {"wrap": Relabelled}),
    "nine outputs": ("model.output_width", {"model": lambda m: CifarResNet(20, 9)}),
    "ImageNet stem": ("model.stem_too_coarse", {"model": coarse_stem}),
    "features detached": ("model.unused_parameters", {"model": Detached}),
    "input ignored": ("model.ignores_input", {"model": Constant}),
    "head frozen": ("model.frozen", {"model": frozen_head}),
    "everything frozen": ("model.frozen", {"model": frozen_all}),
    "sorted by class": ("data.not_shuffled", {"wrap": sorted_by_class, "loader": {"batch_size": 128}}),
    "not shuffled": ("data.not_shuffled", {"loader": {"batch_size": 128}}),
    "a fifth of the data": ("data.subset", {"wrap": rows(10_000)}),
    "one rare class": ("data.imbalance", {"wrap": imbalanced}),
    "a class left out": ("labels.missing_class", {"wrap": without_class}),
    "three epochs": ("epochs.too_few", {"epochs": 3, "scheduler": lambda o: CosineAnnealingLR(o, 3)}),
    **MODEL_FAULTS,
}

# Healthy variations of the same training: nothing above info may be said of them.
HEALTHY: dict[str, dict[str, Any]] = {
    "cured": {},
    "cosine": {"scheduler": lambda o: CosineAnnealingLR(o, 164)},
    "one-cycle per step": {
        "scheduler": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.2, total_steps=30 * 391),
        "interval": "step",
        "epochs": 30,
    },
    "Nesterov, decay 5e-4": {"optimizer": sgd(nesterov=True, weight_decay=5e-4)},
    "0.5 statistics": {
        "train": [CROP, FLIP, T.ToTensor(), T.Normalize((0.5,) * 3, (0.5,) * 3)],
        "test": [T.ToTensor(), T.Normalize((0.5,) * 3, (0.5,) * 3)],
    },
    "popular wrong deviations": {
        "train": [CROP, FLIP, T.ToTensor(), T.Normalize(MEAN, (0.2023, 0.1994, 0.2010))],
        "test": [T.ToTensor(), T.Normalize(MEAN, (0.2023, 0.1994, 0.2010))],
    },
    "TrivialAugment and erasing": {
        "train": [CROP, FLIP, T.TrivialAugmentWide(), T.ToTensor(), NORMALIZE, T.RandomErasing()],
    },
    "label smoothing": {"criterion": nn.CrossEntropyLoss(label_smoothing=0.1)},
    "AdamW": {
        "optimizer": lambda m: torch.optim.AdamW(m.parameters(), lr=1e-3, weight_decay=0.05),
        "scheduler": lambda o: CosineAnnealingLR(o, 164),
    },
    "drop_last, two workers": {"loader": {"batch_size": 128, "shuffle": True, "drop_last": True, "num_workers": 2}},
    "no warm-up": {"scheduler": lambda o: MultiStepLR(o, [82, 123])},
    "zero-gamma residuals": {
        "model": lambda m: [nn.init.zeros_(b.bn2.weight) for s in (m.layer1, m.layer2, m.layer3) for b in s] and None
    },
    "log_softmax, cross entropy": {"model": with_tail(nn.LogSoftmax(1))},
    "BatchNorm momentum 0.5": {"model": each_norm(momentum=0.5)},
}
