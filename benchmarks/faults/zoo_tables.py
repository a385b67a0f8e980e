"""Sick trainings on tables: scalers, encoders, targets and losses, as people who come from spreadsheets write them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler
from zoo import loaders_of, normal

from trainingdoctor import Training

ROWS, HELD_OUT = 4000, 3200


def _houses() -> tuple[Tensor, Tensor]:
    """Area, rooms, year, income of the street, distance, floor, age of the owner, and a price in euros (N, 8), (N, 1)."""
    r = normal(ROWS, 8)
    area, rooms = 90 + 30 * r[:, 0], (3 + r[:, 0] + r[:, 1]).round().clamp(1, 9)
    year, income = 1975 + 22 * r[:, 2], torch.exp(10.6 + 0.4 * r[:, 3])
    distance, floor, age, lift = r[:, 4].exp(), r[:, 5].abs().round(), 50 + 14 * r[:, 6], (r[:, 7] > 0).float()
    price = (
        1500 * area + 9000 * rooms + 700 * (year - 1950) + 2 * income - 8000 * distance + 15000 * normal(ROWS, seed=1)
    )
    return torch.stack([area, rooms, year, income, distance, floor, age, lift], 1), price.clamp_min(30_000)[:, None]


def _standard(x: Tensor) -> Tensor:
    """As a StandardScaler that was fitted to the training rows."""
    return (x - x[:HELD_OUT].mean(0)) / x[:HELD_OUT].std(0)


def _net(inputs: int = 8, outputs: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))


def _adam(model: nn.Module, x: Tensor, y: Tensor, criterion: Any = None, epochs: int = 50, **more: Any) -> Training:
    optimizer = Adam(model.parameters(), lr=1e-3)
    criterion = criterion or nn.MSELoss()
    return Training(model=model, **loaders_of(x, y), criterion=criterion, optimizer=optimizer, epochs=epochs, **more)


def test_rows_not_scaled() -> Training:
    """fit_transform() on the training rows, and the test rows as they came."""
    x, y = _houses()
    return _adam(_net(), torch.cat([_standard(x)[:HELD_OUT], x[HELD_OUT:]]), _standard(y))


def test_rows_scaled_to_0_and_1() -> Training:
    """A StandardScaler for the training rows, a MinMaxScaler of its own for the test rows."""
    x, y = _houses()
    rest = x[HELD_OUT:]
    rest = (rest - rest.amin(0)) / (rest.amax(0) - rest.amin(0))
    return _adam(_net(), torch.cat([_standard(x)[:HELD_OUT], rest]), _standard(y))


def _towns() -> tuple[Tensor, Tensor, Tensor]:
    """Numbers (N, 4), one of 120 towns of very different size (N), and what is asked (N, 1)."""
    share = 1 / torch.arange(1, 121)
    town = torch.multinomial(share, ROWS, replacement=True, generator=torch.Generator().manual_seed(0))
    town = torch.randperm(120, generator=torch.Generator().manual_seed(1))[town]
    numbers, level = normal(ROWS, 4), normal(120, seed=2)
    y = numbers[:, 0].sin() + 0.5 * numbers[:, 1] + level[town] + 0.2 * normal(ROWS, seed=3)
    return numbers, town, y[:, None]


def _encoded_apart(names: Tensor) -> Tensor:
    """LabelEncoder().fit_transform() of the training rows, and again of the test rows."""
    return torch.cat([part.unique(return_inverse=True)[1] for part in (names[:HELD_OUT], names[HELD_OUT:])])


def town_encoded_twice() -> Training:
    """The town's number is one column of the table."""
    numbers, town, y = _towns()
    return _adam(_net(5), torch.cat([numbers, _encoded_apart(town)[:, None].float()], 1), y)


class Embedded(nn.Module):
    """An embedding of the category beside the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.towns, self.body = nn.Embedding(120, 8), _net(12)

    def forward(self, numbers: Tensor, town: Tensor) -> Tensor:
        return self.body(torch.cat([numbers, self.towns(town)], 1))


def embedded_town_encoded_twice() -> Training:
    numbers, town, y = _towns()
    model = Embedded()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    loaders = loaders_of(numbers, _encoded_apart(town), y)
    return Training(model=model, **loaders, criterion=nn.MSELoss(), optimizer=optimizer, epochs=40)


def price_left_in_the_table() -> Training:
    """x = scaler.fit_transform(frame), with the price among the columns."""
    x, y = _houses()
    return _adam(_net(9), _standard(torch.cat([x, y], 1)), _standard(y))


def price_in_another_currency() -> Training:
    """A column that is computed from the target; classes by price."""
    x, y = _houses()
    x = torch.cat([x[:, :3], (1.08 * y / 1000), x[:, 3:]], 1)
    return _adam(_net(9), _standard(x), _standard(y), nn.SmoothL1Loss())


def columns_in_their_units() -> Training:
    """Nothing is scaled but the price."""
    x, y = _houses()
    return _adam(_net(), x, _standard(y))


def year_not_scaled() -> Training:
    """All columns are scaled but the year, which looked like a category; expensive or not, by SGD."""
    x, y = _houses()
    table = _standard(x)
    table[:, 2] = x[:, 2]
    model = _net(8, 2)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    loaders = loaders_of(table, (y > y.median()).long()[:, 0])
    scheduler = CosineAnnealingLR(optimizer, 40)
    criterion = nn.CrossEntropyLoss()
    return Training(model=model, **loaders, criterion=criterion, optimizer=optimizer, scheduler=scheduler, epochs=40)


def price_in_euros_by_adam() -> Training:
    x, y = _houses()
    return _adam(_net(), _standard(x), y)


def price_in_euros_by_sgd() -> Training:
    x, y = _houses()
    model = _net()
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
    return Training(model=model, **loaders_of(_standard(x), y), criterion=nn.MSELoss(), optimizer=optimizer, epochs=50)


def sigmoid_before_a_regression() -> Training:
    """Standardized prices out of 0..1."""
    x, y = _houses()
    return _adam(nn.Sequential(_net(), nn.Sigmoid()), _standard(x), _standard(y))


def tanh_before_a_regression() -> Training:
    """Standardized prices out of -1..1, which holds two thirds of them."""
    x, y = _houses()
    return _adam(nn.Sequential(_net(), nn.Tanh()), _standard(x), _standard(y), nn.SmoothL1Loss())


def softmax_for_several_labels() -> Training:
    """Independent labels, of which the outputs can only give one."""
    x = normal(3000, 32)
    y = (x @ normal(32, 8, seed=2) > 2).float()
    return _adam(nn.Sequential(_net(32, 8), nn.Softmax(1)), x, y, nn.BCELoss(), 30)


def column_against_row() -> Training:
    """Outputs (N, 1), prices (N)."""
    x, y = _houses()
    return _adam(_net(), _standard(x), _standard(y)[:, 0])


def divergence_of_probabilities() -> Training:
    """Soft labels of a teacher; kl_div of two softmaxes."""
    x = normal(ROWS, 20)
    y = (2 * torch.tanh(x @ normal(20, 6, seed=2))).softmax(1)

    def criterion(output: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(F.softmax(output, dim=1), target, reduction="batchmean")

    return _adam(_net(20, 6), x, y, criterion)


def divergence_with_a_temperature() -> Training:
    """The same with log_target, softened."""
    x = normal(ROWS, 20)
    y = 2 * torch.tanh(x @ normal(20, 6, seed=2))

    def criterion(output: Tensor, target: Tensor) -> Tensor:
        soft = F.log_softmax(target / 2, dim=1)
        return 4 * nn.KLDivLoss(reduction="batchmean", log_target=True)(F.softmax(output / 2, dim=-1), soft)

    return _adam(_net(20, 6), x, y, criterion)


def one_hidden_unit() -> Training:
    """Five classes through one number."""
    x = normal(ROWS, 16)
    y = (x @ normal(16, 5, seed=2)).argmax(1)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1), nn.ReLU(), nn.Linear(1, 5))
    return _adam(model, x, y, nn.CrossEntropyLoss(), 30)


def softmax_of_one_output() -> Training:
    """Yes or no as one output."""
    x = normal(ROWS, 20)
    y = (x @ normal(20, 1, seed=2) + 0.5 * normal(ROWS, 1, seed=3) > 0).float()
    return _adam(nn.Sequential(_net(20), nn.Softmax(dim=1)), x, y, nn.BCELoss(), 20)


def one_sampler_weight_per_class() -> Training:
    """Rare positives, drawn by the weights of the two classes."""
    x = normal(6000, 16)
    y = (x @ normal(16, seed=2) > 6).long()
    train, test = (TensorDataset(x[part], y[part]) for part in (slice(4800), slice(4800, None)))
    sampler = WeightedRandomSampler((1 / torch.bincount(y).float()).tolist(), len(train))
    model = _net(16, 2)
    optimizer = Adam(model.parameters(), lr=1e-3)
    loaders = {
        "train_loader": DataLoader(train, 64, sampler=sampler),
        "val_loader": DataLoader(test, 256),
    }
    return Training(model=model, **loaders, criterion=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=30)


def groups_of_one_channel() -> Training:
    """GroupNorm on features that have no other values than their channels."""
    x = normal(ROWS, 16)
    y = (x @ normal(16, 5, seed=2)).argmax(1)
    hidden = [nn.Linear(16, 64), nn.GroupNorm(64, 64), nn.ReLU()]
    return _adam(nn.Sequential(*hidden, nn.Linear(64, 5)), x, y, nn.CrossEntropyLoss(), 30)


def spectra_in_half_precision() -> Training:
    """Power spectra of 16-bit sound, neither scaled nor logarithmic, with amp=float16."""
    time = torch.arange(256) / 256
    pitch = 8 + 30 * torch.rand(ROWS, generator=torch.Generator().manual_seed(0))
    sound = 6000 * torch.sin(2 * torch.pi * pitch[:, None] * time) + 800 * normal(ROWS, 256)
    power = torch.fft.rfft(sound.round()).abs()[:, :128] ** 2 / 256
    return _adam(_net(128, 3), power, (pitch / 13).long().clamp(max=2), nn.CrossEntropyLoss(), 30, amp=torch.float16)
