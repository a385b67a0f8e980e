"""The command line: output, exit codes, schema."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trainingdoctor_warm as warm

import trainingdoctor

Command = Callable[..., Any]
SCHEMA = json.loads((Path(trainingdoctor.__file__).parent / "report.schema.json").read_text())
CONFIG = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
print("the config talks")
torch.manual_seed(0)
labels = torch.arange(96) % 4
x = torch.randn(96, 3, 12, 12)
x[:, 0] += labels[:, None, None] - 1.5
x = x / x.std()
train_loader = DataLoader(TensorDataset(x[:72], labels[:72]), batch_size=24, shuffle=True)
val_loader = DataLoader(TensorDataset(x[72:], labels[72:]), batch_size=32)
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
epochs = 5
"""


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return warm.run([sys.executable, "-m", "trainingdoctor", *arguments], cwd=cwd)


def config(folder: Path, extra: str = "") -> str:
    file = folder / "my_config.py"
    file.write_text(CONFIG + extra)
    return str(file)


def test_a_healthy_config_exits_0_and_validates(tmp_path: Path) -> None:
    result = run("diagnose", config(tmp_path), "--format", "json")
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    assert result.returncode == 0, result.stderr
    assert report["verdict"] == "healthy"
    assert report["target"] == "my_config.py"


def test_a_sick_config_exits_1_and_names_the_cause(tmp_path: Path, typed: Command) -> None:
    sick = config(tmp_path, "model = nn.Sequential(model, nn.Softmax(1))\n")
    output = tmp_path / "report.json"
    result = typed(tmp_path, "diagnose", sick, "--quick", "--output", str(output))
    report = json.loads(output.read_text())
    jsonschema.validate(report, SCHEMA)
    assert result.exit_code == 1
    assert report["root_causes"][0] == "loss.softmax_before_cross_entropy"
    text = typed(tmp_path, "diagnose", sick, "--quick", "--select", "loss")
    assert "unwell" in text.stdout
    assert "the config talks" not in text.stdout
    assert typed(tmp_path, "diagnose", sick, "--quick", "--select", "batchnorm").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("diagnose", "nothing.py"),
        ("diagnose", "{config}", "--select", "lr.nope"),
        ("explain", "lr.nope"),
        ("diagnose", "{config}", "--time-limit", "-1"),
        ("diagnose", "{config}", "--seed", "-1"),
        ("diagnose", "{config}", "--output", "/no/such/folder/report.json"),
        ("diagnose", "{config}", "--device", "nonsense"),
        ("diagnose", "{config}", "--device", "meta"),
    ],
)
def test_wrong_usage_exits_2_with_one_sentence(tmp_path: Path, typed: Command, arguments: tuple[str, ...]) -> None:
    path = config(tmp_path)
    result = typed(tmp_path, *(a.replace("{config}", path) for a in arguments))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("trainingdoctor: ")
    assert "Traceback" not in result.stderr


def test_checks_and_explain(tmp_path: Path, typed: Command) -> None:
    listed = typed(tmp_path, "checks")
    assert "batchnorm.momentum" in listed.stdout
    manual = typed(tmp_path, "explain", "batchnorm.momentum")
    assert "TensorFlow" in manual.stdout
    assert "most = 0.9" in manual.stdout


def test_env_validates(tmp_path: Path, typed: Command) -> None:
    result = typed(tmp_path, "env", "--format", "json")
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    assert {c["code"].split(".")[0] for c in report["checks"]} == {"env"}


def test_env_works_when_torch_is_broken(tmp_path: Path) -> None:
    broken = tmp_path / "torch"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('libtorch_cuda.so: undefined symbol')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['trainingdoctor', 'env']; from trainingdoctor.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "undefined symbol" in " ".join(result.stdout.split())
    assert "crashed" not in result.stdout
    assert "Traceback" not in result.stderr


def test_env_works_when_importing_torch_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os, sys\nprint('torch talks')\nos.kill(os.getpid(), 4)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "trainingdoctor", "env", "--format", "json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    assert report["root_causes"] == ["env.torch"]
    assert "SIGILL" in report["findings"][0]["message"]
    assert str(tmp_path / "torch.py") in report["findings"][0]["message"]
    assert [c["code"] for c in report["checks"] if c["outcome"] == "crashed"] == []
