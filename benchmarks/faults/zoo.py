"""Healthy trainings that are no image classification: nothing above info may be said of these either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, StepLR
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from trainingdoctor import Training


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loaders_of(*tensors: Tensor, batch_size: int = 64) -> dict[str, Any]:
    count = len(tensors[0]) * 4 // 5
    train, test = (TensorDataset(*(t[part] for t in tensors)) for part in (slice(count), slice(count, None)))
    loader = DataLoader(train, batch_size=batch_size, shuffle=True)
    return {"train_loader": loader, "val_loader": DataLoader(test, batch_size=256)}


def regression() -> Training:
    """A small MLP on a smooth function of eight numbers, mean squared error."""
    x = normal(4000, 8)
    y = torch.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.1 * normal(4000, 1, seed=1)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = Adam(model.parameters(), lr=1e-3)
    return Training(model=model, **loaders_of(x, y), criterion=nn.MSELoss(), optimizer=optimizer, epochs=50)


def logistic_regression() -> Training:
    """One linear layer, two classes as one logit."""
    x = normal(3000, 20)
    y = (x @ normal(20, 1, seed=2) + 0.5 * normal(3000, 1, seed=3) > 0).float()
    model = nn.Linear(20, 1)
    optimizer = SGD(model.parameters(), lr=0.1)
    return Training(model=model, **loaders_of(x, y), criterion=nn.BCEWithLogitsLoss(), optimizer=optimizer, epochs=20)


def multi_label() -> Training:
    """Eight independent yes-or-no targets, BCE with logits."""
    x = normal(3000, 32)
    y = (x @ normal(32, 8, seed=2) > 2).float()
    model = nn.Sequential(nn.Linear(32, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 8))
    optimizer = AdamW(model.parameters(), lr=1e-3)
    scheduler = CosineAnnealingLR(optimizer, 30)
    return Training(
        model=model,
        **loaders_of(x, y),
        criterion=nn.BCEWithLogitsLoss(),
        optimizer=optimizer,
        scheduler=scheduler,
        epochs=30,
    )


def imbalanced_table() -> Training:
    """Rare positives, made up for by class weights."""
    x = normal(6000, 16)
    y = (x @ normal(16, seed=2) > 6).long()
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
    weight = len(y) / (2 * torch.bincount(y, minlength=2).float())
    optimizer = Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    return Training(
        model=model, **loaders_of(x, y), criterion=nn.CrossEntropyLoss(weight=weight), optimizer=optimizer, epochs=30
    )


class Texts(Dataset[Any]):
    """Token ids and a mask in a dict; the class is told by which tokens are frequent."""

    def __init__(self, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.labels = (torch.arange(count) % 4).tolist()
        own = torch.randint(0, 50, (count, 24), generator=generator) + 50 * torch.tensor(self.labels)[:, None]
        common = torch.randint(200, 1000, (count, 24), generator=generator)
        self.ids = torch.where(torch.rand(count, 24, generator=generator) < 0.3, own, common)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.ids[index], "attention_mask": torch.ones(24), "labels": self.labels[index]}


class TextClassifier(nn.Module):
    """Embedding, one transformer layer, masked mean; returns a dict as Hugging Face models do."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(1000, 64), nn.Parameter(0.02 * torch.randn(1, 24, 64))
        self.layer = nn.TransformerEncoderLayer(64, 4, 128, 0.1, batch_first=True)
        self.head = nn.Linear(64, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        hidden = self.layer(self.embedding(input_ids) + self.position)
        pooled = (hidden * attention_mask[..., None]).sum(1) / attention_mask.sum(1, keepdim=True)
        return {"logits": self.head(pooled)}


def text_classifier() -> Training:
    """Dict batches in, dict out; AdamW with linear warm-up and decay per step."""
    torch.manual_seed(0)
    model = TextClassifier()
    loader = DataLoader(Texts(4000, 0), batch_size=32, shuffle=True)
    optimizer = AdamW(model.parameters(), lr=5e-4, weight_decay=0.01)
    scheduler = LinearLR(optimizer, 1.0, 0.0, 5 * len(loader))
    return Training(
        model=model,
        train_loader=loader,
        val_loader=DataLoader(Texts(1000, 1), batch_size=64),
        criterion=lambda out, y: F.cross_entropy(out["logits"], y),
        optimizer=optimizer,
        scheduler=scheduler,
        scheduler_interval="step",
        epochs=5,
    )


class Recurrent(nn.Module):
    """A language model on characters: LSTM with tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(30, 64), nn.LSTM(64, 64, batch_first=True)
        self.head = nn.Linear(64, 30)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(x))[0]).transpose(1, 2)


def language_model() -> Training:
    """Next character of noisy periodic strings; clipped Adam."""
    torch.manual_seed(0)
    start = torch.randint(0, 30, (3000, 1), generator=torch.Generator().manual_seed(0))
    text = (start + torch.arange(33) * (1 + start % 3)) % 30
    model = Recurrent()
    optimizer = Adam(model.parameters(), lr=2e-3)
    loaders = loaders_of(text[:, :-1].contiguous(), text[:, 1:].contiguous())
    return Training(
        model=model, **loaders, criterion=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=10, grad_clip=1.0
    )


def autoencoder() -> Training:
    """Images in 0..1 to themselves through a sigmoid; the batches hold no targets."""
    x = (0.5 + 0.2 * normal(2000, 1, 16, 16)).clamp(0, 1)
    x = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1)
    encoder = [nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 16)]
    decoder = [nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 256), nn.Sigmoid(), nn.Unflatten(1, (1, 16, 16))]
    model = nn.Sequential(*encoder, *decoder)
    optimizer = Adam(model.parameters(), lr=1e-3)
    return Training(model=model, **loaders_of(x, x.clone()), criterion=nn.MSELoss(), optimizer=optimizer, epochs=50)


def segmentation() -> Training:
    """One class per pixel, with an ignored border."""
    torch.manual_seed(0)
    x = normal(600, 3, 24, 24)
    y = (F.avg_pool2d(x, 5, 1, 2)[:, 0] > 0).long()
    y[:, 0] = 255
    block = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    block += [nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 2, 1)]
    model = nn.Sequential(*block)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    scheduler = StepLR(optimizer, 15, 0.1)
    return Training(
        model=model,
        **loaders_of(x, y, batch_size=16),
        criterion=nn.CrossEntropyLoss(ignore_index=255),
        optimizer=optimizer,
        scheduler=scheduler,
        epochs=40,
    )


class Stream(IterableDataset[Any]):
    """Samples without an end, made as they are asked for."""

    def __iter__(self) -> Any:
        generator = torch.Generator().manual_seed(0)
        while True:
            x = torch.randn(16, generator=generator)
            yield x, int(x[:4].sum() > 0)


def stream() -> Training:
    """An iterable data set without a length."""
    model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 2))
    optimizer = AdamW(model.parameters(), lr=3e-3)
    loader = DataLoader(Stream(), batch_size=64)
    return Training(model=model, train_loader=loader, criterion=nn.CrossEntropyLoss(), optimizer=optimizer)


class Siamese(nn.Module):
    """Two inputs through one encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(a), self.encoder(b)


def siamese() -> Training:
    """Contrastive pairs: a tuple of inputs, a tuple of outputs, a criterion of one's own."""
    a, same = normal(3000, 20), torch.arange(3000) % 2
    b = torch.where(same[:, None] == 1, a + 0.1 * normal(3000, 20, seed=1), normal(3000, 20, seed=2))
    model = Siamese()
    optimizer = Adam(model.parameters(), lr=1e-3)

    def criterion(output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        distance = (output[0] - output[1]).norm(dim=1)
        return torch.where(target == 1, distance**2, F.relu(1 - distance) ** 2).mean()

    return Training(model=model, **loaders_of(a, b, same), criterion=criterion, optimizer=optimizer, epochs=20)


@dataclass(frozen=True)
class Animal:
    """One of these trainings. name: the group that it stands under in the plan."""

    build: Callable[[], Training]
    name: str = "zoo"


ZOO: dict[str, Animal] = {
    f.__name__.replace("_", " "): Animal(f)
    for f in (
        regression,
        logistic_regression,
        multi_label,
        imbalanced_table,
        text_classifier,
        language_model,
        autoencoder,
        segmentation,
        stream,
        siamese,
    )
}
