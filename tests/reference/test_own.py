"""A config in the harness of the reference run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor import Training, UserError
from trainingdoctor.reference import EpochMetrics
from trainingdoctor.reference.own import train_own

CONFIG = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
labels = torch.arange(96) % 4
x = torch.randn(96, 3, 12, 12, generator=torch.Generator().manual_seed(0))
x[:, 0] += 2 * labels[:, None, None] - 3.0
data = TensorDataset(x, labels)
train_loader = DataLoader(data, batch_size=32, shuffle=True)
val_loader = DataLoader(data, batch_size=32)
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=12)
scheduler_interval = "step"
epochs = 4
"""


def figures(result: Any) -> list[tuple[float, ...]]:
    return [(m.rate, m.loss, m.train_accuracy, m.test_accuracy) for m in result.metrics]


def built(**changes: Any) -> Training:
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    exec(CONFIG, names)
    fields = {name: names[name] for name in Training.field_names() if name in names}
    return Training(**{**fields, **changes})


def test_a_config_trains_by_its_own_schedule(tmp_path: Path) -> None:
    result = train_own(built(), output=tmp_path)
    assert result.epochs == 4
    assert max(m.rate for m in result.metrics) > 0.1 > result.metrics[-1].rate
    assert result.metrics[-1].loss < result.metrics[0].loss
    names = {"checkpoint.pt", "config.json", "curve.png", "environment.json", "metrics.jsonl", "result.json"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert json.loads((tmp_path / "config.json").read_text())["optimizer"][0]["class"] == "SGD"


def test_an_interrupted_config_ends_with_the_same_figures(tmp_path: Path) -> None:
    whole = train_own(built(), seed=3)

    def killed(metrics: EpochMetrics, _: int) -> None:
        if metrics.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_own(built(), seed=3, output=tmp_path, on_epoch=killed)
    torch.manual_seed(99)
    resumed = train_own(built(), seed=3, output=tmp_path, resume=True)
    assert figures(resumed) == figures(whole)
    with pytest.raises(UserError, match="other settings"):
        train_own(built(), seed=4, output=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"val_loader": None, "epochs": None}, "cannot be trained without val_loader, epochs"),
        ({"train_loader": []}, "train_loader is empty"),
        ({"criterion": nn.BCELoss()}, "the criterion raised ValueError"),
        ({"model": nn.Linear(3, 3)}, "the model's forward raised RuntimeError"),
        (
            {"criterion": lambda o, y: o.mean(), "val_loader": DataLoader(TensorDataset(torch.randn(8, 3, 12, 12), torch.randn(8)))},
            "this is another task",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        train_own(built(**changes))
    assert sentence in str(error.value)


def test_float16_is_scaled_and_clipped() -> None:
    result = train_own(built(amp=torch.float16, grad_clip=1.0), epochs=2)
    assert torch.isfinite(torch.tensor([m.loss for m in result.metrics])).all()
    assert result.metrics[1].loss < result.metrics[0].loss


def test_the_command_compares_and_exits(tmp_path: Path, typed: Callable[..., Any]) -> None:
    file = tmp_path / "my_config.py"
    file.write_text(CONFIG)
    result = typed(tmp_path, "reference-run", "--config", str(file), "--target", "20")
    assert result.exit_code == 0, result.stderr
    assert "above the target, 20 %" in result.stdout
    assert "below the mean of five ResNet-110" in result.stdout
    assert result.stdout.splitlines()[-1] == "CERTIFIED"
