"""`trainingdoctor lr-range` and `trainingdoctor schedule`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trainingdoctor.cli import app

CONFIG = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
print("the config talks")
torch.manual_seed(0)
labels = torch.arange(96) % 4
x = torch.randn(96, 3, 12, 12)
x[:, 0] += labels[:, None, None] - 1.5
train_loader = DataLoader(TensorDataset(x / x.std(), labels), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, 3)
epochs = 5
"""


def run(*arguments: str) -> Any:
    """The command in this process: a fresh one takes seconds to load torch."""
    return CliRunner().invoke(app, arguments)


def config(folder: Path, extra: str = "") -> str:
    file = folder / "my_config.py"
    file.write_text(CONFIG + extra)
    return str(file)


def test_json_and_picture(tmp_path: Path) -> None:
    picture = tmp_path / "out.png"
    arguments = ["lr-range", config(tmp_path), "--plot", str(picture), "--format", "json", "--seeds", "2"]
    command = [sys.executable, "-m", "trainingdoctor", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    curve = json.loads(result.stdout)
    assert curve["target"] == "my_config.py"
    assert curve["rate"] == pytest.approx(0.05), "the peak of the schedule, not its start"
    assert curve["place"] == "inside"
    assert curve["stable"][0] < curve["suggested"][0] < curve["suggested"][1] < curve["stable"][1]
    assert len(curve["rates"]) == 100
    assert len(curve["losses"]) == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "the config talks" in result.stderr


def test_text_says_where_a_bad_rate_lies(tmp_path: Path) -> None:
    result = run(
        "lr-range", config(tmp_path, "optimizer.param_groups[0]['lr'] = 9.0; scheduler = None\n"), "--seeds", "1"
    )
    assert result.exit_code == 0, result.stderr
    assert "stable interval" in result.stdout
    assert "above the stable edge" in result.stdout
    assert "the config talks" not in result.stdout


def test_nothing_learned_is_an_answer(tmp_path: Path) -> None:
    extra = "optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1); scheduler = None\n"
    result = run("lr-range", config(tmp_path, extra), "--steps", "20")
    assert result.exit_code == 0, result.stderr
    assert "nothing was learned at any rate" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lr-range", "nothing.py"), "nothing.py"),
        (("lr-range", "{config}", "--format", "yaml"), "--format yaml"),
        (("lr-range", "{config}", "--plot", "out.docx"), "out.docx"),
        (("lr-range", "{config}", "--steps", "2"), "steps=2"),
        (("lr-range", "{config}", "--low", "1", "--high", "0.1"), "low=1"),
        (("lr-range", "{config}", "--device", "cuda:99"), "cuda:99"),
        (("schedule", "{config}", "--format", "yaml"), "--format yaml"),
    ],
)
def test_wrong_usage_exits_2_with_one_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    path = config(tmp_path)
    result = run(*(a.replace("{config}", path) for a in arguments))
    said = result.stderr.replace("the config talks\n", "")
    assert result.exit_code == 2
    assert said.startswith("trainingdoctor: ")
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("criterion = None\n", "lr-range needs criterion: add `criterion = nn.CrossEntropyLoss()`"),
        (
            "def criterion(p, y): raise ZeroDivisionError('oops')\n",
            "the criterion raised ZeroDivisionError: oops (my_config.py:",
        ),
        ("optimizer = torch.optim.LBFGS(model.parameters())\nscheduler = None\n", "closure"),
    ],
)
def test_what_cannot_be_measured_exits_2(tmp_path: Path, extra: str, words: str) -> None:
    result = run("lr-range", config(tmp_path, extra))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_schedule(tmp_path: Path) -> None:
    picture = tmp_path / "out.svg"
    path = config(tmp_path)
    text = run("schedule", path, "--plot", str(picture))
    assert text.exit_code == 0, text.stderr
    assert "in epoch 4 of 5" in text.stdout
    assert picture.stat().st_size > 5000
    trace = json.loads(run("schedule", path, "--format", "json").stdout)
    assert trace["rates"][0] == pytest.approx(0.0005)
    assert trace["scheduler"] == "LinearLR"
