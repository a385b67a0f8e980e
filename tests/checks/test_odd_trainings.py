"""The checks of recipe, precision and regularization on trainings that are not image classification with SGD."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from trainingdoctor import Severity, Training, diagnose
from trainingdoctor.report import Outcome
from trainingdoctor.settings import Settings

CODES = (
    "recipe",
    "accuracy",
    "lr.not_scaled_with_batch",
    "regularization",
    "precision",
    "loss.class_weights",
    "loader",
    "schedule",
    "optimizer",
    "decay",
    "epochs",
)


class Texts(Dataset[Any]):
    """Token ids in dictionaries."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"input_ids": torch.arange(6) + i, "labels": torch.tensor(i % 2)}


class Classifier(nn.Module):
    """Returns a dictionary, as Hugging Face's models do."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.head = nn.Embedding(40, 8), nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, input_ids: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(self.norm(self.embed(input_ids)).mean(1))}


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        for i in range(20):
            yield torch.full((4,), float(i)), i % 2


class Two(nn.Module):
    """Returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x), x


def first(output: Any, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output[0], target)


def text() -> Training:
    model = Classifier()

    def criterion(output: dict[str, Tensor], target: Tensor) -> Tensor:
        return nn.functional.cross_entropy(output["logits"], target)

    return Training(
        model=model,
        train_loader=DataLoader(Texts(), 8, shuffle=True),
        criterion=criterion,
        optimizer=AdamW(model.parameters(), lr=2e-5),
        epochs=3,
    )


def tabular(loader: Any = None, targets: Tensor | None = None, criterion: Any = None, **changes: Any) -> Training:
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    y = torch.arange(64) % 2 if targets is None else targets
    model = changes.pop("model", None) or nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return Training(
        model=model,
        train_loader=DataLoader(TensorDataset(x, y), 16, shuffle=True) if loader is None else loader,
        criterion=criterion or nn.CrossEntropyLoss(),
        optimizer=changes.pop("optimizer", None) or Adam(model.parameters(), lr=1e-3),
        epochs=20,
        **changes,
    )


def adversarial() -> Training:
    generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
    optimizers = [Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999)) for m in (generator, critic)]
    loader = DataLoader(TensorDataset(torch.randn(64, 4)), 16)
    return Training(model=generator, train_loader=loader, optimizer=optimizers, epochs=25)


ODD = {
    "text in dictionaries": text,
    "stream": lambda: tabular(DataLoader(Stream(), 4)),
    "tuple output": lambda: tabular(model=Two(), criterion=first),
    "regression": lambda: tabular(targets=torch.randn(64, 2), criterion=nn.MSELoss()),
    "binary, one output": lambda: tabular(
        targets=(torch.arange(64) % 2).float()[:, None], criterion=nn.BCEWithLogitsLoss(), model=nn.Linear(4, 1)
    ),
    "one batch": lambda: tabular(DataLoader(TensorDataset(torch.randn(5, 4), torch.arange(5) % 2), 8)),
    "one sample": lambda: tabular(DataLoader(TensorDataset(torch.randn(1, 4), torch.zeros(1, dtype=torch.long)), 1)),
    "adversarial": adversarial,
    "mixed precision": lambda: tabular(amp=True, device="cuda"),
    "bfloat16": lambda: tabular(model=(m := nn.Linear(4, 2).bfloat16()), optimizer=SGD(m.parameters(), 0.1)),
    "nothing but a model": lambda: Training(model=nn.Linear(4, 2)),
    "NaN": lambda: tabular(DataLoader(TensorDataset(torch.full((32, 4), torch.nan), torch.arange(32) % 2), 8)),
}


@pytest.mark.parametrize("name", ODD)
def test_no_crash_and_no_alarm(name: str) -> None:
    report = diagnose(ODD[name](), settings=Settings(quick=True, select=CODES))
    assert [(r.code, r.traceback) for r in report.results if r.outcome is Outcome.CRASHED] == []
    assert [(f.code, f.message) for f in report.findings if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_model_comes_back_as_it_was(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)).to(dtype)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    training = tabular(model=model, optimizer=SGD(model.parameters(), lr=0.1, momentum=0.9))
    codes = ("loss.not_learning", "precision", "training.raises")
    report = diagnose(training, settings=Settings(select=codes))
    assert [(f.code, f.message) for f in report.findings if f.severity is not Severity.INFO] == []
    after = model.state_dict()
    assert [n for n in before if after[n].dtype is not before[n].dtype or not torch.equal(after[n], before[n])] == []
