"""Two processes at the same batch train as one does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from trainingdoctor_warm import ranks, run

from trainingdoctor import UserError
from trainingdoctor.reference.processes import Processes, joined

RUN = (
    "-m",
    "trainingdoctor",
    "reference-run",
    "--smoke",
    "--model",
    "resnet20",
    "--device",
    "cpu",
    "--precision",
    "float32",
)

LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def trained(folder: Path, *launcher: str) -> list[dict[str, Any]]:
    command = [sys.executable, *launcher, *RUN, "--epochs", "3", "--batch-size", "32", "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "NOT CERTIFIED: a smoke run" in done.stdout, done.stderr
    assert done.stdout.count("NOT CERTIFIED") == 1
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# With BatchNorm's statistics held, nothing depends on which samples a process sees together.
HELD = """\
import json, sys
from dataclasses import replace
from trainingdoctor.reference import RECIPES, Settings, generated_images
from trainingdoctor.reference.parts import Parts
from trainingdoctor.reference.processes import joined
from trainingdoctor.reference.train import Run

recipe = replace(RECIPES["fast"], peak=0.02)
settings = Settings(recipe, depth=8, epochs=3, batch_size=16, seed=1, device="cpu", precision="float32")
with joined("cpu", 16) as processes:
    run = Run(settings, generated_images(64, 32), Parts(trains=False), processes)
    found = [[m.loss, m.train_accuracy, m.test_accuracy] for m in run.epochs(print)]
if processes.is_first:
    print(json.dumps(found))
"""


@pytest.mark.timeout(180)
def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path) -> None:
    command, found = [sys.executable, "-c", HELD], []
    for done in (run(command), ranks(command, tmp_path)[0]):
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0][0][0] > found[0][-1][0]
    for one, two in zip(*found, strict=True):
        assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.timeout(180)
def test_the_command_runs_in_two_processes_and_one_writes(tmp_path: Path) -> None:
    metrics = trained(tmp_path / "two", *LAUNCHER)
    assert [m["epoch"] for m in metrics] == [1, 2, 3]
    assert all(0 < m["loss"] < 10 for m in metrics)


def test_batches_that_cannot_be_shared_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match="cannot be shared by 3"), joined("cpu", 128):
        pass


def test_one_process_needs_nothing() -> None:
    with joined("cpu", 128) as processes:
        assert processes == Processes(0, 1)
        assert processes.is_first
