"""What weight decay does over a run: products of rate, momentum and decay, and who classifies."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.decay import Decay, NormDecay, decay
from trainingdoctor.measure.optimizers import optimizers, parameter_groups
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.weight_decay import too_strong


class Muon(SGD):
    """By its name one whose decay stands beside the gradient."""


def measured(optimizer: Any, criterion: Any = None, targets: torch.Tensor | None = None) -> Decay:
    targets = torch.arange(8) % 2 if targets is None else targets
    loader = DataLoader(TensorDataset(torch.randn(8, 4), targets))
    groups = parameter_groups(optimizers(optimizer), None)
    result: Decay = decay(groups, None, loader, None, criterion or nn.CrossEntropyLoss(), None)
    return result


def weights() -> Any:
    return nn.Linear(4, 2).parameters()


def test_momentum_multiplies_the_decay_of_sgd() -> None:
    assert measured(SGD(weights(), 0.1, 0.9, weight_decay=1e-4)).forgets_in_steps == pytest.approx(10_000)


def test_momentum_does_not_multiply_a_decoupled_decay() -> None:
    assert measured(Muon(weights(), 0.02, 0.95, weight_decay=0.1)).forgets_in_steps == pytest.approx(500)
    assert measured(AdamW(weights(), 1e-3, weight_decay=0.1)).forgets_in_steps == pytest.approx(10_000)


def test_the_flag_of_the_group_decides_about_adam() -> None:
    assert measured(Adam(weights(), 1e-3, weight_decay=0.1)).forgets_in_steps is None
    flagged = Adam(weights(), 1e-3, weight_decay=0.1)
    # An argument only from torch 2.7 on.
    flagged.param_groups[0]["decoupled_weight_decay"] = True
    assert measured(flagged).forgets_in_steps == pytest.approx(10_000)


def test_who_classifies() -> None:
    sgd = SGD(weights(), 0.1)
    assert measured(sgd).classifies
    assert not measured(sgd, nn.MSELoss()).classifies
    assert not measured(sgd, nn.functional.l1_loss).classifies
    assert not measured(sgd, targets=torch.randn(8, 2)).classifies


def test_a_group_of_normalizations_that_decays_more() -> None:
    def both(of_norms: float) -> Decay:
        norms = {"params": nn.BatchNorm1d(4).parameters(), "weight_decay": of_norms}
        found = measured(SGD([{"params": weights(), "weight_decay": 5e-4}, norms], 0.1, 0.9))
        return replace(found, steps_per_epoch=391)

    assert both(0.1).norms == NormDecay("optimizer.param_groups[1].weight_decay", 0.1, pytest.approx(10.0))
    assert_unwell(too_strong, both(0.1), severity="warning", mentions="10 steps")
    assert_healthy(too_strong, both(0.001))
    assert both(0.0).norms is None


def test_without_a_known_schedule_the_length_of_an_epoch_is_the_loaders() -> None:
    found = measured(torch.optim.SGD(weights(), 0.05, weight_decay=0.9))
    assert found.steps_per_epoch is not None
    assert found.forgets_in_steps == pytest.approx(1 / 0.045)
