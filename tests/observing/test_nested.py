"""Passes in the body of another pass."""

from pathlib import Path

import pytest

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import run_script

SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x = torch.randn(96, 4)
loader = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), 8, shuffle=True)
test_loader = DataLoader(TensorDataset(x[:64], (x[:64].sum(1) > 0).long()), 8)
net = nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), 0.1)


def evaluate():
    net.eval()
    with torch.no_grad():
        for a, b in test_loader:
            net(a)
            if LEFT:
                break


for epoch in range(8):
    for i, (a, b) in enumerate(loader):
        if i == AT:
            evaluate()
        net.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        optimizer.step()
"""


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("at", [0, 5])
def test_an_evaluation_within_an_epoch_is_none_of_its_training(script: Path, at: int, left: bool) -> None:
    script.write_text(SCRIPT.replace("AT", str(at)).replace("LEFT", str(left)))
    recorder = Recorder(Limits(steps=6))
    run_script(script, [], recorder)
    trace = traced(recorder)
    kinds = {p.loader: p.kind for p in trace.passes}
    assert [p.kind for p in trace.passes][:2] == ["training", "evaluation"]
    assert sorted(kinds.values()) == ["evaluation", "training"]
    assert trace.passes[0].batches >= 6


DIVIDED = (
    SCRIPT.replace("LEFT", "False").replace("AT", "-1")
    + """
    print(1 / (i if i < 7 else WHOLE))
"""
)


@pytest.mark.parametrize(("steps", "whole", "raises"), [(6, "1", False), (1, "1", False), (50, "0", True)])
def test_a_division_by_the_index_of_a_pass_that_was_cut_is_none_of_the_scripts(
    script: Path, steps: int, whole: str, raises: bool
) -> None:
    script.write_text(DIVIDED.replace("WHOLE", whole))
    ran = run_script(script, [], Recorder(Limits(steps=steps)))
    assert (ran.error is not None) is raises
