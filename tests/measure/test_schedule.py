"""What the simulated schedule says beside the rates."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from trainingdoctor.measure.schedule import trace


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2))]


def test_one_cycle_has_its_lowest_momentum_at_the_peak() -> None:
    optimizer = torch.optim.SGD(parameters(), 0.1, momentum=0.9)
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=100)
    assert optimizer.param_groups[0]["momentum"] == 0.95
    assert trace(optimizer, scheduler, 10, 10, "step").momentum == pytest.approx(0.85)
    assert optimizer.param_groups[0]["momentum"] == 0.95


def test_one_cycle_over_adam_lowers_the_first_beta() -> None:
    optimizer = torch.optim.Adam(parameters(), 1e-3)
    scheduler = OneCycleLR(optimizer, 1e-3, total_steps=100)
    assert trace(optimizer, scheduler, 10, 10, "step").momentum == pytest.approx(0.85)


def test_elsewhere_it_is_the_optimizers() -> None:
    optimizer = torch.optim.SGD(parameters(), 0.1, momentum=0.9)
    assert trace(optimizer, CosineAnnealingLR(optimizer, 10), 10, 10, "epoch").momentum == 0.9
    assert trace(torch.optim.Adagrad(parameters(), 0.1), None, 10, 10, "epoch").momentum is None
