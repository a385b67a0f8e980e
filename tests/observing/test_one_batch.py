"""A loop that stays on one batch of its loader."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loop_passes import same_slice

DATA = TensorDataset(torch.randn(64, 8), torch.arange(64) % 2)
Batches = Iterator[tuple[Tensor, Tensor]]


def watched(batches: Callable[[DataLoader[tuple[Tensor, ...]]], Batches], size: int = 16) -> LoopTrace:
    recorder, model = Recorder(stops=False), nn.Linear(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        for x, y in batches(DataLoader(DATA, size, shuffle=True)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        return traced(recorder)


def first_only(loader: DataLoader[tuple[Tensor, ...]], steps: int = 20) -> Batches:
    x, y = next(iter(loader))
    for _ in range(steps):
        yield x, y


def several_each(loader: DataLoader[tuple[Tensor, ...]]) -> Batches:
    """Some steps on each batch, as adversarial training for free has them."""
    for x, y in loader:
        for _ in range(12):
            yield x, y


def anew(loader: DataLoader[tuple[Tensor, ...]]) -> Batches:
    for _ in range(20):
        x, y = next(iter(loader))
        yield x, y


def test_one_batch_left_from_a_test() -> None:
    seen = watched(first_only)
    assert seen.on_one_batch == 20
    assert_unwell(same_slice, seen, severity="warning", mentions="20 steps")


@pytest.mark.parametrize("batches", [several_each, anew, lambda loader: first_only(loader, 5), iter])
def test_loops_that_go_on(batches: Callable[[DataLoader[tuple[Tensor, ...]]], Batches]) -> None:
    assert_healthy(same_slice, watched(batches))


def test_a_loader_of_one_batch_has_no_other() -> None:
    assert_healthy(same_slice, watched(first_only, 64))
