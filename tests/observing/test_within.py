"""Evaluations inside of an epoch."""

from pathlib import Path

import pytest

from trainingdoctor.observing import within
from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import run_script

HEAD = """
import argparse
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(400, 4), torch.arange(400) % 2), 2)
test_loader = DataLoader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 2), 4)
net = nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), 0.1)


def evaluate():
    with torch.no_grad():
        return [(net(x).argmax(1) == y).sum() for x, y in test_loader]


def step(x, y):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()


"""
COUNTED = """
run = argparse.Namespace(step=0, every=EVERY)
for epoch in range(2):
    for x, y in loader:
        step(x, y)
        run.step += 1
        if run.step % run.every == 0:
            evaluate()
"""
ENUMERATED = """
for epoch in range(2):
    for i, (x, y) in enumerate(loader):
        step(x, y)
        if epoch < 5 and not (i + 1) % EVERY:
            for a, b in test_loader:
                net(a)
"""
ENDLESS = """
def forever():
    while True:
        for batch in loader:
            yield batch
batches = forever()
for n in range(10 ** 6):
    step(*next(batches))
    if n % EVERY == EVERY - 1:
        evaluate()
"""


def watched(script: Path, source: str, every: int, limits: Limits) -> Recorder:
    script.write_text(HEAD + source.replace("EVERY", str(every)))
    recorder = Recorder(limits)
    ran = run_script(script, [], recorder)
    assert ran.error is None
    return recorder


@pytest.mark.parametrize("source", [COUNTED, ENUMERATED, ENDLESS])
def test_a_near_one_is_waited_for(script: Path, source: str) -> None:
    recorder = watched(script, source, 60, Limits(steps=4))
    trained = next(p for p in recorder.passes if p.kind == "training")
    assert [p.kind for p in recorder.passes][:2] == ["training", "evaluation"]
    assert 60 <= trained.batches <= 66
    assert recorder.reach.missed("train.py", 600) is None


def test_of_one_that_is_too_far_the_way_is_said(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(within, "PATIENCE", 1e-9)
    recorder = watched(script, COUNTED, 150, Limits(steps=4))
    assert next(p for p in recorder.passes if p.kind == "training").batches == 4
    line = HEAD.count("\n") + 7
    assert recorder.reach.missed("train.py", 600) == (
        f"train.py evaluates every 150 steps (train.py:{line}) and 4 were seen: --steps 150 goes that far"
    )
    assert "--steps 150 --time-limit " in str(recorder.reach.missed("train.py", 0.001))


@pytest.mark.parametrize(
    ("condition", "done"),
    [("epoch % 100 == 1", "evaluate"), ("epoch < 0 and rare() % 9 == 1", "evaluate"), ("log % 100 == 1", "print")],
)
def test_other_conditions_are_not_waited_for(script: Path, condition: str, done: str) -> None:
    head = "log, rare = 0, lambda: 1\nfor epoch in range(9):\n    for x, y in loader:\n        step(x, y)\n"
    recorder = watched(script, f"{head}        if {condition}:\n            {done}()\n", 1, Limits(steps=4))
    assert recorder.passes[0].batches == 4
    assert recorder.reach.missed("train.py", 600) is None


def test_more_steps_have_more_time() -> None:
    assert Limits.of(12, 600.0) == Limits(steps=12)
    assert Limits.of(500, 600.0) == Limits(steps=500, seconds=100.0, total=200.0)
    assert Limits.of(500, 90.0).total == 30.0
