"""Schedulers, watched."""

import torch
from torch.optim.lr_scheduler import LinearLR, MultiStepLR

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
