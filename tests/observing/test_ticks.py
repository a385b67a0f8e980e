"""Schedulers, watched."""

import pytest
import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)

from trainingdoctor.observing.ticks import Schedulers


def test_a_warm_up_is_seen_to_rise_and_a_decay_is_not() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    decay = MultiStepLR(optimizer, [1], gamma=0.1)
    warm_up = LinearLR(optimizer, 0.1, total_iters=4)
    schedulers = Schedulers()
    schedulers.look(optimizer)
    for _ in range(2):
        optimizer.step()
        warm_up.step()
        schedulers.poll(within=True)
    seen = {w.seen().name: w.seen() for w in schedulers.watched}
    assert (seen["LinearLR"].rising, seen["LinearLR"].within) == (True, 2)
    optimizer.step()
    decay.step()
    schedulers.poll(within=False)
    decayed = next(w.seen() for w in schedulers.watched if w.scheduler is decay)
    assert (decayed.rising, decayed.ticks) == (False, 1)


def run(each: int, ends_after: int = 3, told: bool = False) -> Schedulers:
    """Epochs of two steps, after each of which the scheduler is stepped so often."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    chained = ChainedScheduler([StepLR(optimizer, 20)], optimizer=optimizer)
    cosine = CosineAnnealingLR(optimizer, 60)
    schedulers = Schedulers()
    for epoch in range(1, ends_after + 1):
        for _ in range(2):
            optimizer.step()
            schedulers.look(optimizer)
        for i in range(each):
            chained.step()
            cosine.step(epoch + 6) if told and not i else cosine.step()
        schedulers.poll(within=False, epoch=epoch)
    return schedulers


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
@pytest.mark.parametrize(("each", "told"), [(1, False), (2, False), (1, True)])
def test_the_calls_per_epoch_are_counted(each: int, told: bool) -> None:
    seen = [w.seen() for w in run(each, told=told).watched]
    assert {s.name: (s.each, s.within) for s in seen} == {
        "CosineAnnealingLR": (each, 0),
        "ChainedScheduler": (each, 0),
    }


def test_an_epoch_that_is_not_over_says_nothing() -> None:
    assert [w.seen().each for w in run(2, ends_after=1).watched] == [0, 0]


def test_schedulers_without_an_end_have_one_where_the_rate_is_gone() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    built = [StepLR(optimizer, 20), StepLR(optimizer, 20, gamma=1.0), ExponentialLR(optimizer, 0.95)]
    schedulers = Schedulers()
    schedulers.look(optimizer)
    ends = {id(w.scheduler): w.seen().end for w in schedulers.watched}
    assert [ends[id(s)] for s in built] == [60, None, 135]


class Warmup(LRScheduler):
    """A script's own, as many repositories have it: after two steps it steps what it holds, and not itself."""

    def __init__(self, optimizer: torch.optim.Optimizer, after_scheduler: LRScheduler) -> None:
        self.after_scheduler = after_scheduler
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        return [0.1]

    def step(self, epoch: int | None = None) -> None:
        if self.last_epoch < 2:
            super().step()
        else:
            self.after_scheduler.step()


def test_a_warm_up_that_is_over_counts_what_it_hands_over_to() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    warmup = Warmup(optimizer, CosineAnnealingLR(optimizer, 60))
    schedulers = Schedulers()
    schedulers.look(optimizer)
    for epoch in range(1, 6):
        optimizer.step()
        warmup.step()
        schedulers.poll(within=False, epoch=epoch)
    assert [w.seen().ticks for w in schedulers.watched] == [5]


def test_what_a_warm_up_of_the_scripts_own_hands_over_to_is_inside_it() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    warmup = Warmup(optimizer, CosineAnnealingLR(optimizer, 60))
    schedulers = Schedulers()
    schedulers.look(optimizer)
    assert [w.scheduler for w in schedulers.watched] == [warmup]
