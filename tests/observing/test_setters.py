"""Learning rates that a function of the loop's own sets, for the whole run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.replay import schedule_of

TRAIN = DataLoader(TensorDataset(torch.randn(40, 4), torch.arange(40) % 2), 10)
ARGS = SimpleNamespace(lr=0.4, epochs=8, drops=[4, 6], start=0)


def adjust_learning_rate(optimizer: torch.optim.Optimizer, epoch: int, args: Any) -> float:
    """As in the ImageNet example of PyTorch's first years."""
    rate = args.lr * 0.1 ** sum(epoch >= drop for drop in args.drops)
    for group in optimizer.param_groups:
        group["lr"] = rate
    print("lr", rate)
    return float(rate)


def halve(optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """From the rate that there is."""
    if epoch in (2, 5):
        set_rate(optimizer, optimizer.param_groups[0]["lr"] / 2)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def by_data(optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """What it sets in the first epochs is not what it sets when it is called again."""
    optimizer.calls = getattr(optimizer, "calls", 0) + 1  # type: ignore[attr-defined]
    set_rate(optimizer, 0.1 / optimizer.calls)  # type: ignore[attr-defined]


def fails(optimizer: torch.optim.Optimizer, epoch: int) -> None:
    set_rate(optimizer, [0.4, 0.4, 0.4, 0.4][epoch])


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for x, y in TRAIN:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


class Trainer:
    def __init__(self, args: Any) -> None:
        self.args, self.model = args, nn.Linear(4, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), args.lr, momentum=0.9)

    def set_rate(self, epoch: int) -> None:
        self.optimizer.param_groups[0]["lr"] = self.args.lr * (1 - epoch / self.args.epochs)

    def run(self) -> torch.optim.Optimizer:
        for epoch in range(self.args.start, self.args.epochs):
            self.one(epoch)
            if epoch == 1:
                break
        return self.optimizer

    def one(self, epoch: int) -> None:
        self.set_rate(epoch)
        train(self.model, self.optimizer)


def built(args: Any) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(4, 2)
    return model, torch.optim.SGD(model.parameters(), args.lr, momentum=0.9)


def in_main(args: Any) -> torch.optim.Optimizer:
    model, optimizer = built(args)
    for epoch in range(args.start, args.epochs):
        lr = adjust_learning_rate(optimizer, epoch, args)
        train(model, optimizer)
        if lr and epoch == 1:
            break
    return optimizer


def behind(args: Any) -> torch.optim.Optimizer:
    model, optimizer = built(args)
    for epoch in range(1, args.epochs + 1):
        train(model, optimizer)
        halve(optimizer, epoch)
        if epoch == 2:
            break
    return optimizer


def inline(args: Any) -> torch.optim.Optimizer:
    model, optimizer = built(args)
    for epoch in range(args.epochs):
        model.train()
        rate = 0.5 * args.lr * (1 + math.cos(math.pi * epoch / args.epochs))
        if epoch > 5:
            rate = 0.0
        for group in optimizer.param_groups:
            group["lr"] = rate
        train(model, optimizer)
        if epoch == 1:
            break
    return optimizer


def rate_of(epoch: int) -> float:
    if epoch < 4:
        return 0.4
    return 0.4 * max(0.1, 1 - epoch / 8)


def by_two_functions(args: Any) -> torch.optim.Optimizer:
    """As in the SWA repository: one computes, the other sets."""
    model, optimizer = built(args)
    for epoch in range(args.epochs):
        rate = rate_of(epoch)
        set_rate(optimizer, rate)
        train(model, optimizer)
        if epoch == 1:
            break
    return optimizer


def by_the_loss(args: Any) -> torch.optim.Optimizer:
    """What a pass through the data gave is not had without it."""
    model, optimizer = built(args)
    for epoch in range(args.epochs):
        train(model, optimizer)
        loss = float(model.weight.sum())
        set_rate(optimizer, args.lr / (1 + epoch) if loss < 100 else 0.0)
        if epoch == 1:
            break
    return optimizer


def inline_drops(args: Any) -> torch.optim.Optimizer:
    model, optimizer = built(args)
    for epoch in range(1, args.epochs + 1):
        train(model, optimizer)
        if epoch in args.drops:
            for group in optimizer.param_groups:
                group["lr"] *= 0.1
        if epoch == 2:
            break
    return optimizer


def inline_noted(args: Any) -> torch.optim.Optimizer:
    """What it writes down as well is the user's: it is not run once more."""
    model, optimizer = built(args)
    for epoch in range(args.epochs):
        if epoch in args.drops:
            args.lr = optimizer.param_groups[0]["lr"] = args.lr * 0.1
        train(model, optimizer)
        if epoch == 1:
            break
    return optimizer


def looped(function: Callable[[torch.optim.Optimizer, int], None]) -> Callable[[Any], torch.optim.Optimizer]:
    def run(args: Any) -> torch.optim.Optimizer:
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), args.lr)
        for epoch in range(args.epochs):
            function(optimizer, epoch)
            train(model, optimizer)
            if epoch == 1:
                break
        return optimizer

    return run


def watched(run: Callable[[Any], torch.optim.Optimizer], **changes: Any) -> ScheduleTrace | None:
    """The schedule, after two epochs of the loop; the optimizer's rate is as the loop left it."""
    recorder = Recorder(stops=False)
    with observed(recorder):
        optimizer = run(SimpleNamespace(**{**vars(ARGS), **changes}))
    before = [g["lr"] for g in optimizer.param_groups]
    seen = None if recorder.setter is None else schedule_of(recorder.setter, recorder.optimizers[0].steps, 4)
    assert [g["lr"] for g in optimizer.param_groups] == before
    return seen


def rates(run: Callable[[Any], torch.optim.Optimizer], **changes: Any) -> list[float]:
    seen = watched(run, **changes)
    assert seen is not None
    return [round(rate, 6) for rate in seen.rates]


def test_a_function_is_called_for_the_whole_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert rates(in_main) == [0.4] * 4 + [0.04] * 2 + [0.004] * 2
    assert capsys.readouterr().out.count("lr") == 2, "what it prints is printed by the loop alone"
    seen = watched(in_main)
    assert seen is not None
    assert (seen.scheduler, seen.interval, seen.epochs, seen.momentum) == ("adjust_learning_rate()", "epoch", 8, 0.9)
    assert not seen.averages


def test_epochs_need_not_begin_at_zero() -> None:
    assert rates(in_main, start=1) == [0.4] * 3 + [0.04] * 2 + [0.004] * 2


def test_a_call_behind_the_pass_is_for_the_next_epoch() -> None:
    assert rates(behind) == [0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1]


def test_a_method_in_a_function_that_the_loop_calls() -> None:
    assert rates(lambda args: Trainer(args).run(), epochs=4) == [0.4, 0.3, 0.2, 0.1]


def test_statements_of_the_loop_itself() -> None:
    assert rates(inline) == [0.4, 0.384776, 0.341421, 0.276537, 0.2, 0.123463, 0.0, 0.0]
    assert rates(inline_drops) == [0.4] * 4 + [0.04] * 2 + [0.004] * 2
    assert rates(by_two_functions) == [0.4] * 4 + [0.2, 0.15, 0.1, 0.05]
    assert watched(by_the_loss) is None
    seen = watched(inline)
    assert seen is not None
    assert re.fullmatch(r"test_setters\.py:\d+", seen.place)
    assert seen.scheduler == seen.place
    assert watched(inline_noted) is None


@pytest.mark.parametrize("function", [by_data, fails, lambda optimizer, epoch: set_rate(optimizer, 0.1)])
def test_what_cannot_be_replayed_is_not_told(function: Callable[[torch.optim.Optimizer, int], None]) -> None:
    assert watched(looped(function)) is None


def test_a_loop_that_sets_no_rate_has_no_setter() -> None:
    assert watched(looped(lambda optimizer, epoch: None)) is None
