"""Scripts that start a training as another program."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor import UserError
from trainingdoctor.observing.launching import Elsewhere, launched, launches_told
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import run_script


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train.py trains, apart.py does so in a module beside it, prepare.py does not."""
    (tmp_path / "train.py").write_text("loss.backward()\n")
    (tmp_path / "apart.py").write_text("from tools import engine\nengine.go()\n")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "engine.py").write_text("def go():\n    loss.backward()\n")
    (tmp_path / "prepare.py").write_text("import torch\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ([sys.executable, "train.py", "--lr", "0.1"], "trainingdoctor diagnose train.py -- --lr 0.1"),
        ([sys.executable, "-u", Path("apart.py")], "trainingdoctor diagnose apart.py"),
        (
            "CUDA_VISIBLE_DEVICES=0 python3 train.py --lr 0.1 && echo done",
            "trainingdoctor diagnose train.py -- --lr 0.1",
        ),
        (
            ["torchrun", "--nproc-per-node=2", "train.py"],
            "torchrun --nproc-per-node=2 -m trainingdoctor diagnose train.py",
        ),
        (
            [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "train.py"],
            "torchrun --nproc-per-node=2 -m trainingdoctor diagnose train.py",
        ),
        (["accelerate", "launch", "train.py", "a b"], "trainingdoctor diagnose train.py -- 'a b'"),
    ],
)
def test_the_command_to_give_is_told(folder: Path, command: Any, instead: str) -> None:
    found = launched(command, Path())
    assert found is not None
    assert found.command == instead


@pytest.mark.parametrize(
    "command",
    [
        "nvidia-smi",
        ["git", "rev-parse", "HEAD"],
        [sys.executable, "prepare.py"],
        "python missing.py",
        "echo 'unclosed",
        7,
    ],
)
def test_other_programs_are_started(folder: Path, command: Any) -> None:
    assert launched(command, Path()) is None


def test_in_another_folder(folder: Path) -> None:
    found = launched("python engine.py", Path("tools"))
    assert found is not None
    assert found.command == "trainingdoctor diagnose tools/engine.py"


def test_both_ways_to_start_a_program_are_seen(folder: Path) -> None:
    before = subprocess.Popen.__init__, os.system
    with launches_told():
        with pytest.raises(Elsewhere):
            subprocess.run([sys.executable, "train.py"], check=True)
        with pytest.raises(Elsewhere):
            os.system("python train.py")
        assert subprocess.run(["echo", "x"], capture_output=True, check=True).stdout == b"x\n"
    assert (subprocess.Popen.__init__, os.system) == before


def test_a_launcher_gets_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "launcher.py").write_text(
        "import subprocess, sys\ntry:\n    subprocess.run([sys.executable, 'train.py', '--lr', '0.1'])\nexcept Exception:\n    pass\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    said = r"^launcher.py starts train.py as a program of its own; run: trainingdoctor diagnose train.py -- --lr 0.1$"
    with launches_told(), pytest.raises(UserError, match=said):
        run_script(folder / "launcher.py", (), Recorder())
