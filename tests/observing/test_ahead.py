"""Loops that fetch batches before they use them."""

from pathlib import Path

import pytest

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.script import run_script

HEAD = """
import queue, threading
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(96, 4)
loader = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), 8, shuffle=True)
test_loader = DataLoader(TensorDataset(x[:64], (x[:64].sum(1) > 0).long()), 8)
net = nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), 0.1)


def ahead(loader):
    batches, waiting = iter(loader), []
    while True:
        while len(waiting) <= DEPTH and batches is not None:
            batch = next(batches, None)
            if batch is None:
                batches = None
            else:
                waiting.append((batch[0] * 1, batch[1] + 0))
        if not waiting:
            return
        yield waiting.pop(0)


def by_thread(loader):
    batches, ready = iter(loader), queue.Queue(1)

    def fetch():
        for batch in batches:
            ready.put((batch[0] * 1, batch[1] + 0))
        ready.put(None)

    threading.Thread(target=fetch, daemon=True).start()
    return iter(ready.get, None)


for epoch in range(8):
    for a, b in FETCH(loader):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        optimizer.step()
    with torch.no_grad():
        right = sum((net(a).argmax(1) == b).sum().item() for a, b in FETCH(test_loader))
    print(f"accuracy {right / 64:.4f}")
"""


def watched(script: Path, fetch: str, depth: int, limits: Limits) -> Recorder:
    script.write_text(HEAD.replace("FETCH", fetch).replace("DEPTH", str(depth)))
    recorder = Recorder(limits)
    assert run_script(script, [], recorder).error is None
    return recorder


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_each_batch_is_known_by_how_many_wait(script: Path, depth: int) -> None:
    recorder = watched(script, "ahead", depth, Limits())
    trace = traced(recorder)
    assert not recorder.losses.relabelled
    assert recorder.losses.reordered == 0
    assert trace.accuracy is not None or depth == 2
    if trace.accuracy is not None:
        assert (trace.accuracy.samples, trace.accuracy.off) == (64, 0.0)


def test_of_what_a_thread_fetches_nothing_is_compared(script: Path) -> None:
    recorder = watched(script, "by_thread", 0, Limits(steps=5))
    assert not recorder.losses.relabelled
    assert traced(recorder).accuracy is None
    assert [p.kind for p in recorder.passes][:2] == ["training", "evaluation"]


def test_a_thread_is_not_left_by_an_exception_when_time_is_up(script: Path) -> None:
    recorder = watched(script, "by_thread", 0, Limits(total=0.0))
    assert len(recorder.passes) <= 2
