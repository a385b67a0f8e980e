"""What happened in a loop, in its order."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.seen import Moment
from trainingdoctor.observing.timeline import MOST, Timeline


def by_hand(model: nn.Module, _optimizer: Any) -> None:
    for parameter in model.parameters():
        parameter.grad = None


def kinds(clear: Any) -> list[tuple[str, str]]:
    """Of one epoch of two batches with an evaluation, the scheduler stepped after it, and one more step."""
    loader = DataLoader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 2), 4)
    model = nn.Sequential(nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with observed(Recorder(stops=False)) as recorder:
        for _ in range(2):
            model.train()
            for inputs, targets in loader:
                loss = nn.functional.cross_entropy(model(inputs), targets)
                clear(model, optimizer)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for inputs, _ in DataLoader(loader.dataset, 8):
                    model(inputs)
            scheduler.step()
    return [(moment.kind, moment.within) for moment in traced(recorder).moments]


@pytest.mark.parametrize(
    "clear", [lambda _, o: o.zero_grad(), lambda m, _: m.zero_grad(), by_hand], ids=["optimizer", "model", "by hand"]
)
def test_a_loop_is_told_as_it_ran(clear: Any) -> None:
    step = [(kind, "training") for kind in ("forward_train", "zero_grad", "backward", "step")]
    found = kinds(clear)
    # Before the first step nobody knows which gradients to look at, where they are cleared by hand.
    first = [moment for moment in step if clear is not by_hand or moment[0] != "zero_grad"]
    assert found[: len(first)] == first
    assert found[len(first) : len(first) + 6] == [*step, ("forward_eval", "evaluation"), ("scheduler", "")]
    assert found[len(first) + 6 :][:4] == step


def test_gradients_that_are_never_cleared_have_no_mark() -> None:
    assert "zero_grad" not in {kind for kind, _ in kinds(lambda *_: None)}


def test_a_long_loop_is_told_by_its_beginning() -> None:
    timeline = Timeline()
    for _ in range(MOST + 5):
        timeline.add("step", None)
    assert timeline.seen(()) == (Moment("step", "", 0),) * MOST


@pytest.mark.parametrize("in_loop", [True, False])
def test_where_a_scheduler_is_stepped_is_told_before_the_last_batch(in_loop: bool) -> None:
    loader = DataLoader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 2), 4)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
    with observed(Recorder(stops=False)) as recorder:
        for _ in range(3):
            for inputs, targets in loader:
                nn.functional.cross_entropy(model(inputs), targets).backward()
                optimizer.step()
                if in_loop:
                    scheduler.step()
            if not in_loop:
                scheduler.step()
    seen = traced(recorder).schedulers[0]
    assert (seen.ticks > 1, seen.within > 1) == (True, in_loop)
