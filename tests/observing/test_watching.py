"""Scripts with tiny nets, watched in a process of their own: what is seen, found, and left alone."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = """
import os, sys, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
x = torch.randn(1200, 8)
y = (x.sum(1) > 0).long()
train_loader = DataLoader(TensorDataset(x[:1000], y[:1000]), 50, shuffle=True)
test_loader = DataLoader(TensorDataset(x[1000:], y[1000:]), 50)
net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
"""
LOOP = """
for epoch in range(12):
    net.train()
    for a, b in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(a), b)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        right = sum((net(a).argmax(1) == b).sum().item() for a, b in test_loader)
    scheduler.step()
    print("accuracy", right / 200)
    torch.save(net.state_dict(), "best.pt")
"""
SELECT = ("loop", "optimizer.state_lost", "training", "schedule", "loss.softmax_before_cross_entropy")


Watch = Callable[..., Any]


@pytest.fixture
def watched(tmp_path: Path, typed: Callable[..., Any]) -> Watch:
    """Diagnose a script; the script itself runs in a process of its own."""

    def run(source: str, *options: str, name: str = "train.py") -> Any:
        (tmp_path / name).write_text(source)
        select = [word for code in SELECT for word in ("--select", code)]
        command = ("diagnose", name, "--format", "json", "--quick", "--steps", "12", *select)
        return typed(tmp_path, *command, *options)

    return run


@pytest.fixture
def report(watched: Watch) -> Watch:
    """What is said of a script."""

    def run(source: str, *options: str, name: str = "train.py") -> dict[str, Any]:
        result = watched(source, *options, name=name)
        assert result.stdout, result.stderr
        return dict(json.loads(result.stdout))

    return run


def codes(found: dict[str, Any]) -> list[str]:
    return [f["code"] for f in found["findings"] if f["severity"] != "info"]


@pytest.mark.usefixtures("fresh")
def test_a_healthy_script_is_silent_and_leaves_nothing_behind(report: Watch, tmp_path: Path) -> None:
    # Compiled in both ways: the original module is watched.
    found = report(HEAD + "net.compile()\nnet = torch.compile(net)\n" + LOOP)
    assert codes(found) == []
    assert [p.name for p in tmp_path.iterdir()] == ["train.py"]
    assert found["training"]["epochs"] == 12
    seen = [c["code"] for c in found["checks"] if c["outcome"] == "healthy" and c["code"].startswith("loop.")]
    assert len(seen) > 10


NEW_OPTIMIZER = "    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)\n    net.train()\n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"        optimizer.zero_grad()\n": "", "    net.eval()\n": ""},
            {"loop.zero_grad_missing", "loop.train_mode_in_evaluation"},
        ),
        (
            {"    net.train()\n": "", "criterion(net(a), b)": "criterion(net(a).softmax(1), b)"},
            {"loop.eval_mode_in_training", "loss.softmax_before_cross_entropy"},
        ),
        ({"    net.train()\n": NEW_OPTIMIZER}, {"optimizer.state_lost"}),
    ],
)
def test_faults_of_the_loop_are_root_causes(report: Watch, changes: dict[str, str], expected: set[str]) -> None:
    loop = LOOP
    for old, new in changes.items():
        assert old in loop
        loop = loop.replace(old, new)
    found = report(HEAD + loop)
    assert set(found["root_causes"]) == expected
    places = {f["code"]: f["where"][0] for f in found["findings"]}
    assert all(places[c].startswith("train.py:") for c in expected if c.startswith("loop."))


NAMES_CUDA = (
    "class NamesCuda(nn.Module):\n    def forward(self, x):\n        return x + torch.zeros(1, device='cuda')\n\n"
)


def test_arguments_cuda_working_folder_and_a_class_of_ones_own(report: Watch) -> None:
    head = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', type=int)\nargs = p.parse_args()\n"
    body = (
        (HEAD + LOOP)
        .replace("net = nn", f"device = torch.device('cuda:0')\n{NAMES_CUDA}net = nn")
        .replace("Sequential(", "Sequential(NamesCuda(), ")
        .replace("range(12)", "range(args.n)")
        .replace("optimizer, 12)", "optimizer, args.n)")
    )
    body = body.replace("criterion = nn", "net = net.cuda()\ncriterion = nn").replace("net(a)", "net(a.to(device))")
    found = report(head + body.replace(", b)", ", b.cuda(async=True))"), "--", "--n", "7")
    assert codes(found) == []
    assert found["training"]["epochs"] == 7


def test_a_checkpoint_chosen_on_the_test_split_is_worth_knowing(report: Watch) -> None:
    head = HEAD.replace("y = (x.sum(1) > 0).long()", "y = (x.sum(1) > 0).long()\nbest_acc = 0").replace(
        "net = nn", "test_loader.dataset.train = False\nnet = nn"
    )
    loop = LOOP.replace(
        "    torch.save", "    if right / 200 > best_acc:\n        best_acc = right / 200\n        torch.save"
    )
    found = report(head + loop)
    finding = next(f for f in found["findings"] if f["code"] == "loop.best_checkpoint_on_test")
    assert (finding["severity"], finding["where"]) == ("info", ["train.py:31"])


HOSTILE = {
    "exits": (HEAD + LOOP.replace("    scheduler.step()", "    scheduler.step()\n    sys.exit(0)"), None),
    "crashes at step 3": (
        HEAD + LOOP.replace("    for a", "    for i, (a").replace(", b in train_loader", ", b) in enumerate(train_loader)")
        .replace("        optimizer.zero_grad()", "        assert i < 3, 'third'\n        optimizer.zero_grad()"),
        "training.raises",
    ),
    "crashes in its first batch, before backward()": (
        HEAD + LOOP.replace("        loss.backward()\n", "        loss.data[0]\n        loss.backward()\n"),
        "training.raises",
    ),
    "catches everything": (
        HEAD + "while True:\n    try:\n" + "".join(f"        {line}\n" for line in LOOP.splitlines())
        + "    except BaseException:\n        continue\n",
        None,
    ),
    "no loader": (
        HEAD + "for step in range(10**9):\n    optimizer.zero_grad()\n    criterion(net(x[:50]), y[:50]).backward()\n    optimizer.step()\n",
        "loop.same_slice",
    ),
    "forks, prints megabytes, changes the folder": (
        HEAD + "pid = os.fork()\nif pid == 0:\n    sys.exit(0)\nos.waitpid(pid, 0)\nprint('x' * 20_000_000)\nos.chdir('/')\n" + LOOP,
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scripts_end_in_a_report(report: Watch, tmp_path: Path, name: str) -> None:
    source, code = HOSTILE[name]
    found = report(source, "--time-limit", "40")
    assert [c for c in codes(found) if not c.startswith("schedule.")] == ([code] if code else [])
    assert [p.name for p in tmp_path.iterdir()] == ["train.py"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("name = input('which? ')\n", "EOFError"),
        ("import not_there_at_all\n", "No module named 'not_there_at_all' (train.py:1)"),
        ("import torch\nprint('nothing to train')\n", "no model was called (it printed last: nothing to train)"),
        ("import torch\nprint 'nothing'\n", "train.py is written for Python 2: Missing parentheses"),
        ("import os\nos.environ['LOCAL_RANK']\n", "torchrun --nproc-per-node 1 -m trainingdoctor diagnose train.py"),
        ("import torch\nraise FileNotFoundError('data/train is not there')\n", "data/train is not there (train.py:2)"),
    ],
)
def test_a_script_that_trains_nothing_gives_one_sentence(watched: Watch, source: str, said: str) -> None:
    result = watched(source, "--as", "script")
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_script_that_hangs_is_killed_with_all_that_it_started(watched: Watch) -> None:
    marker = f"sleeper-{os.getpid()}"
    source = f"import subprocess, time\nfor alone in (False, True):\n    subprocess.Popen(['bash', '-c', 'exec -a {marker} sleep 600'], start_new_session=alone)\nwhile True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass\n"
    started = time.monotonic()
    result = watched(source, "--as", "script", "--time-limit", "2")
    assert result.exit_code == 2
    assert "could not be stopped within 2 s" in result.stderr
    assert time.monotonic() - started < 40
    assert subprocess.run(["pgrep", "-f", marker], capture_output=True, check=False).returncode == 1


def test_a_notebook_runs_in_its_folder_cell_by_cell_without_magics(report: Watch, tmp_path: Path) -> None:
    there = (
        "import pathlib\nassert pathlib.Path('train.ipynb').exists()\nget_ipython().run_line_magic('x', '')\ndisplay(3)"
    )
    cells = ["%matplotlib inline\n!pip list", "%%bash\necho no", there, HEAD, LOOP]
    notebook = {
        "cells": [{"cell_type": "code", "source": c} for c in cells] + [{"cell_type": "markdown", "source": "x"}]
    }
    (tmp_path / "inner").mkdir()
    found = report(json.dumps(notebook), name="inner/train.ipynb")
    assert codes(found) == []
    assert found["training"]["epochs"] == 12


def test_a_config_is_still_a_config(report: Watch) -> None:
    found = report((HEAD + "model = net\nepochs = 12\n"), name="config.py")
    assert "loop.zero_grad_missing" in [c["code"] for c in found["checks"] if c["outcome"] == "skipped"]
