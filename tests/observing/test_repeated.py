"""Epochs that begin with the same batch."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loop_passes import epochs_repeated

DATA = TensorDataset(torch.randn(64, 8), torch.arange(64) % 2)


FEW = TensorDataset(torch.randn(6, 8), torch.arange(6) % 2)


def watched(
    before: Callable[[int], object], *, shuffle: bool = True, anew: bool = False, data: TensorDataset = DATA
) -> LoopTrace:
    """Three epochs. anew: each with a model and an optimizer of its own."""
    recorder, loader = Recorder(stops=False), DataLoader(data, 16, shuffle=shuffle)
    with observed(recorder):
        model = nn.Linear(8, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for epoch in range(3):
            if anew:
                model = nn.Linear(8, 2)
                optimizer = torch.optim.SGD(model.parameters(), 0.1)
            before(epoch)
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
    return traced(recorder)


def test_a_seed_that_is_set_in_each_epoch() -> None:
    seen = watched(lambda _: torch.manual_seed(0))
    assert seen.repeated.startswith("test_repeated.py:")
    assert_unwell(epochs_repeated, seen, severity="warning", mentions="set anew")


@pytest.mark.parametrize(
    "seen",
    [
        lambda: watched(lambda _: None),
        lambda: watched(torch.manual_seed),
        lambda: watched(lambda epoch: torch.manual_seed(epoch // 2)),
        # Another check's matter: this loader draws in order.
        lambda: watched(lambda _: torch.manual_seed(0), shuffle=False),
        # Several trainings, each from the same seed.
        lambda: watched(lambda _: torch.manual_seed(0), anew=True),
        # Of few samples the order may come twice by chance.
        lambda: watched(lambda _: torch.manual_seed(0), data=FEW),
        LoopTrace,
    ],
)
def test_epochs_that_differ(seen: Callable[[], LoopTrace]) -> None:
    assert_healthy(epochs_repeated, seen())
