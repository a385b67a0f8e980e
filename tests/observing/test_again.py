"""Trainings behind the one that is watched."""

from pathlib import Path

import pytest

from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import run_script

HEAD = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(40, 4), torch.arange(40) % 2), 4)
test = DataLoader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 2), 4)


def run(model, data, optimizer=None):
    for x, y in data:
        loss = nn.functional.cross_entropy(model(x), y)
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def train(model, epochs=9):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for epoch in range(epochs):
        run(model, loader, optimizer)
        with torch.no_grad():
            run(model, test)
    run(model, test)


"""
LOOP = "optimizer = torch.optim.SGD(a.parameters(), 0.1)\nfor epoch in range(9):\n    run(a, loader, optimizer)\n    with torch.no_grad():\n        run(a, test)\n"


def notes(script: Path, source: str) -> tuple[str, ...]:
    script.write_text(HEAD + source)
    return run_script(script, [], Recorder(Limits(steps=4))).notes


def test_a_second_model_is_told_of(script: Path) -> None:
    source = "a, b = nn.Linear(4, 2), nn.Linear(4, 2)\ntrain(a)\nprint(1)\nif True:\n    train(b)\n"
    line = HEAD.count("\n") + 5
    assert notes(script, source) == (f"only the first training was watched; it trains again at train.py:{line}",)


def test_a_second_loop_is_told_of(script: Path) -> None:
    second = (
        "for epoch in range(2):\n    for x, y in loader:\n        nn.functional.cross_entropy(a(x), y).backward()\n"
    )
    found = notes(script, "a = nn.Linear(4, 2)\n" + LOOP + second)
    assert len(found) == 1
    assert found[0].endswith(f"train.py:{HEAD.count(chr(10)) + 9}")


@pytest.mark.parametrize(
    "source", [LOOP + "run(a, test)\nfor x, y in enumerate(test):\n    pass\n", "train(a)\nrun(a, test)\n"]
)
def test_a_test_behind_the_loop_is_no_training(source: str, script: Path) -> None:
    assert notes(script, "a = nn.Linear(4, 2)\n" + source) == ()
