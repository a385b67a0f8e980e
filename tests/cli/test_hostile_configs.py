"""User code that prints, exits, raises or hangs: the report is delivered all the same, in time, and alone on stdout."""

import json
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trainingdoctor_warm as warm

import trainingdoctor
from trainingdoctor import diagnose
from trainingdoctor.errors import Reason
from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.render.json import render_json
from trainingdoctor.report import Outcome, Report
from trainingdoctor.settings import Settings

SCHEMA = json.loads((Path(trainingdoctor.__file__).parent / "report.schema.json").read_text())
HEAD = """
import atexit, os, subprocess, sys, time
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
torch.manual_seed(0)
labels = torch.arange(96) % 4
x = torch.randn(96, 3, 12, 12)
data = TensorDataset(x, labels)
train_loader = DataLoader(data, batch_size=32, shuffle=True)
net = nn.Sequential(nn.Flatten(), nn.Linear(432, 4))
class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net
    def forward(self, x):
        before()
        return self.net(x)
class Data(Dataset):
    def __len__(self):
        return 96
    def __getitem__(self, i):
        if i == 40:
            item()
        return data[i]
def before(): pass
def item(): pass
model = Wrapped()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
epochs = 5
"""
PRINTS = """
print("P1"); os.write(1, b"P2"); sys.__stdout__.write("P3"); subprocess.run(["echo", "P4"]); atexit.register(print, "P5")
def before(): os.write(1, b"P6")
"""
SWALLOWS = """
def item():
    while True:
        try: time.sleep(1e6)
        except BaseException: pass
"""


def write(folder: Path, extra: str) -> Path:
    file = folder / f"config_{folder.name}.py"
    file.write_text(HEAD + extra)
    return file


def run(file: Path, *arguments: str, how: Callable[..., Any] = warm.run) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainingdoctor", "diagnose", str(file), "--format", "json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return how([*command, *arguments], env=environment)


def diagnosed(file: Path, settings: Settings) -> Report:
    with in_folder_of(file):
        return diagnose(load_config(file), settings=settings)


def test_standard_output_holds_the_report_alone(tmp_path: Path) -> None:
    fresh = partial(subprocess.run, capture_output=True, text=True, check=False)
    result = run(write(tmp_path, PRINTS), "--quick", "--select", "loss", how=fresh)
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    assert report["training"]["model"]["class"] == "Wrapped"
    assert [p for p in ("P1", "P2", "P3", "P4", "P5", "P6") if p not in result.stderr] == []


def test_the_time_limit_holds_where_user_code_swallows_the_alarm(tmp_path: Path) -> None:
    file = write(tmp_path, SWALLOWS + "train_loader = DataLoader(Data(), 32)\n")
    output = tmp_path / "report.json"
    result = run(file, "--time-limit", "5", "--output", str(output))
    report = json.loads(output.read_text())
    jsonschema.validate(report, SCHEMA)
    assert result.stdout == ""
    assert report["verdict"] == "undecided"
    assert 5 < report["seconds"] < 1.1 * 5 + 5
    assert any(c["reason"].startswith("time: ") for c in report["checks"])


def test_a_config_that_hangs_is_left_behind(tmp_path: Path) -> None:
    result = run(write(tmp_path, SWALLOWS + "item()\n"), "--time-limit", "2")
    assert result.returncode == 2
    assert re.match(r"trainingdoctor: config_\w+\.py did not end within \d s", result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("def before(): sys.exit(7)\n", "the model's forward raised SystemExit: 7 (config_"),
        (
            "def item(): sys.exit(7)\ntrain_loader = DataLoader(Data(), 32)\n",
            "iterating train_loader raised SystemExit: 7",
        ),
        (
            "def item(): raise OSError('file 40 is gone')\ntrain_loader = DataLoader(Data(), 32, num_workers=2)\n",
            "iterating train_loader raised OSError: file 40 is gone, in a worker process (config_",
        ),
        ("Wrapped.forward = lambda self, x: None\n", "the model returned None"),
        ("train_loader = DataLoader(TensorDataset(x[:0], labels[:0]), 32)\n", "train_loader is empty"),
        ("train_loader = []\n", "train_loader is empty"),
        ("train_loader = DataLoader(data, 128, drop_last=True)\n", "train_loader is empty"),
    ],
)
def test_what_breaks_is_the_root_cause_and_the_rest_is_delivered(tmp_path: Path, extra: str, sentence: str) -> None:
    report = diagnosed(write(tmp_path, extra), Settings(quick=True))
    assert report.root_causes[0] == "training.raises"
    assert sentence in report.findings[0].message
    assert [r for r in report.results if r.outcome is Outcome.CRASHED] == []
    assert sum(r.outcome is Outcome.HEALTHY for r in report.results) > 20
    jsonschema.validate(json.loads(render_json(report)), SCHEMA)


@pytest.mark.parametrize(
    "extra",
    [
        "def before(): time.sleep(1e6)\n",
        "def item(): time.sleep(1e6)\ntrain_loader = DataLoader(Data(), 32)\n",
        "def item(): time.sleep(1e6)\ntrain_loader = DataLoader(Data(), 32, num_workers=2)\n",
    ],
    ids=["forward", "data", "workers"],
)
def test_the_time_limit_holds_when_user_code_hangs(tmp_path: Path, extra: str) -> None:
    report = diagnosed(write(tmp_path, extra), Settings(time_limit=4))
    assert report.verdict == "undecided"
    assert report.seconds < 1.1 * 4 + 5
    assert any(r.skipped_for is Reason.TIME for r in report.results)
    assert report.training["model"]["class"] == "Wrapped"
    assert multiprocessing.active_children() == []


def test_relative_paths_hold_while_the_training_is_examined(tmp_path: Path) -> None:
    extra = "torch.save(x, 'images.pt')\ndef item(): torch.load('images.pt')\ntrain_loader = DataLoader(Data(), 32)\n"
    report = diagnosed(write(tmp_path, extra), Settings(quick=True))
    assert [f.message for f in report.findings if f.code == "training.raises"] == []


def test_a_compiled_model_is_examined_as_it_was_written(tmp_path: Path) -> None:
    report = diagnosed(
        write(
            tmp_path, "def broken(*_): raise RuntimeError('compiled')\nmodel = torch.compile(model, backend=broken)\n"
        ),
        Settings(quick=True),
    )
    assert [f.message for f in report.findings if f.code == "training.raises"] == []
