"""Sick trainings on pictures that are no classification from scratch: masks, pictures to themselves, trained weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from data import MEAN, STD, Data
from images import arrays
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR
from torch.utils.data import DataLoader, Dataset, TensorDataset
from zoo import loaders_of, normal

from trainingdoctor import Training


def _scenes() -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, 24, 24) and the class of each pixel (N, 24, 24)."""
    x = normal(600, 3, 24, 24)
    return x, (F.avg_pool2d(x, 5, 1, 2)[:, 0] > 0).long()


def _segmenter(outputs: int = 2) -> nn.Sequential:
    block = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(
        *block, nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, outputs, 1)
    )


def _sgd(model: nn.Module, loaders: dict[str, Any], criterion: Any = None, rate: float = 0.05) -> Training:
    """SGD with two steps down."""
    optimizer = SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
    scheduler = StepLR(optimizer, 15, 0.1)
    criterion = criterion or nn.CrossEntropyLoss()
    return Training(model=model, **loaders, criterion=criterion, optimizer=optimizer, scheduler=scheduler, epochs=40)


class Masked(Dataset[Any]):
    """Pictures with masks; a random change of the picture."""

    def __init__(self, part: slice, change: Callable[[Tensor], Tensor] | None = None) -> None:
        self.x, self.y = (t[part] for t in _scenes())
        self.change = change

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.change(self.x[index]) if self.change else self.x[index]
        return image, self.y[index]


def _mirrored(image: Tensor) -> Tensor:
    return image.flip(2) if torch.rand(()) < 0.5 else image


def _moved(image: Tensor) -> Tensor:
    y, x = torch.randint(0, 9, (2,)).tolist()
    return F.pad(image, (4, 4, 4, 4))[:, y : y + 24, x : x + 24]


def _augmented(change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    train = DataLoader(Masked(slice(480), change), 16, shuffle=True)
    return {"train_loader": train, "val_loader": DataLoader(Masked(slice(480, None)), 60)}


def pictures_mirrored_without_masks() -> Training:
    torch.manual_seed(0)
    return _sgd(_segmenter(), _augmented(_mirrored))


def pictures_moved_without_masks() -> Training:
    torch.manual_seed(0)
    return _sgd(_segmenter(), _augmented(_moved))


def masks_of_0_and_255() -> Training:
    """Masks as they were read from PNG files, and a binary cross-entropy."""
    torch.manual_seed(0)
    x, y = _scenes()
    return _sgd(_segmenter(1), loaders_of(x, 255.0 * y[:, None], batch_size=16), nn.BCEWithLogitsLoss(), 0.01)


class Pyramid(nn.Module):
    """The pooled branch of an ASPP beside a plain one, GroupNorm with as many groups as channels (Chen et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.GroupNorm(8, 32), nn.ReLU())
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(32, 16, 1), nn.GroupNorm(16, 16), nn.ReLU())
        self.plain = nn.Sequential(nn.Conv2d(32, 16, 3, padding=2, dilation=2), nn.GroupNorm(8, 16), nn.ReLU())
        self.head = nn.Conv2d(32, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(torch.cat([self.plain(x), self.pooled(x).expand(-1, -1, *x.shape[2:])], 1))


def pooled_branch_normalized() -> Training:
    torch.manual_seed(0)
    return _sgd(Pyramid(), loaders_of(*_scenes(), batch_size=16))


def _cifar(count: int) -> tuple[Tensor, Tensor]:
    """The first images of CIFAR-10, normalized (N, 3, 32, 32), and their classes."""
    images, labels = arrays(True)
    x = torch.from_numpy(images[:count]).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (x - mean) / std, torch.from_numpy(labels[:count])


def normalized_pictures_through_a_sigmoid() -> Training:
    """An autoencoder of 0..1, fed with pictures of mean 0 and deviation 1."""
    torch.manual_seed(0)
    encoder = [nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()]
    decoder = [nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Sigmoid()]
    x, _ = _cifar(2000)
    model = nn.Sequential(*encoder, *decoder)
    optimizer = Adam(model.parameters(), lr=1e-3)
    return Training(model=model, **loaders_of(x, x.clone()), criterion=nn.MSELoss(), optimizer=optimizer, epochs=50)


class Net(nn.Module):
    """Six convolutions with BatchNorm, by stages."""

    def __init__(self) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
            layers = [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)]
            return nn.Sequential(*layers, nn.ReLU())

        self.stem = conv(3, 16)
        self.stage1 = nn.Sequential(conv(16, 32, 2), conv(32, 32))
        self.stage2 = nn.Sequential(conv(32, 64, 2), conv(64, 64))
        self.stage3 = conv(64, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stage3(self.stage2(self.stage1(self.stem(x)))).mean((2, 3)))


def _steps(model: nn.Module, batches: Iterable[Any], after: Callable[[], None]) -> None:
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        after()


@cache
def _trained() -> tuple[Net, Net]:
    """A net after three epochs, and a moving average of its parameters, with the statistics that it began with."""
    torch.manual_seed(0)
    model, loader = Net(), DataLoader(TensorDataset(*_cifar(8000)), 64, shuffle=True)
    average = copy.deepcopy(model)

    @torch.no_grad()
    def follow() -> None:
        for kept, new in zip(average.parameters(), model.parameters(), strict=True):
            kept.lerp_(new, 0.05)

    for _ in range(3):
        _steps(model, loader, follow)
    return model, average


def _fine_tuned(model: nn.Module, rate: float = 0.01) -> Training:
    """On all of CIFAR-10, cropped and flipped."""
    train_loader, val_loader, _ = Data("v2").loaders()
    optimizer = SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    return Training(
        model=model,
        train_loader=train_loader,
        val_loader=val_loader,
        criterion=nn.CrossEntropyLoss(),
        optimizer=optimizer,
        scheduler=CosineAnnealingLR(optimizer, 60),
        epochs=60,
    )


def average_without_its_statistics() -> Training:
    """An average of one's own, over parameters() alone."""
    return _fine_tuned(copy.deepcopy(_trained()[1]))


def checkpoint_of_parameters_only() -> Training:
    """Saved by named_parameters(): the statistics of BatchNorm are those of a new net."""
    model = Net()
    model.load_state_dict(dict(_trained()[0].named_parameters()), strict=False)
    return _fine_tuned(model)


def keys_renamed_and_not_strict() -> Training:
    """The second stage had another name when it was saved."""
    torch.manual_seed(1)
    state = {name.replace("stage2", "middle"): tensor for name, tensor in _trained()[0].state_dict().items()}
    model = Net()
    model.load_state_dict(state, strict=False)
    return _fine_tuned(model)


def spectral_norm_left_in_eval_mode() -> Training:
    """Convolutions that stay as their first estimates were; orthogonal weights were drawn after those."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 64)):
        layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.2)]
    body, head = nn.Sequential(*layers), spectral_norm(nn.Linear(64 * 16, 10))
    for parameter in body.parameters():
        if parameter.ndim > 1:
            nn.init.orthogonal_(parameter)
    return _fine_tuned(Frozen(body.eval(), nn.Flatten(), head), 0.05)


class Frozen(nn.Sequential):
    """The features are kept in eval mode, as for fine-tuning."""

    def train(self, mode: bool = True) -> Frozen:
        super().train(mode)
        self[0].eval()
        return self
