"""A penalty that the criterion adds on the weights is seen by cutting the outputs off."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.penalty import Penalty, penalty
from trainingdoctor.observing.trace import LoopTrace

SGD = Group("optimizer.param_groups[0]", "SGD", 0.1, 0.1, 0.0, 0.9, False, None, None, 1000, 100)
ADAM = replace(SGD, optimizer="Adam", betas=(0.9, 0.999), momentum=None)
BATCH = Batch(torch.randn(32, 8), torch.arange(32) % 4)
Criterion = Callable[[Tensor, Tensor], Tensor]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def measured(build: Callable[[nn.Module], Criterion], group: Group = SGD, model: nn.Module | None = None) -> Penalty:
    model = model or net()
    found: Penalty = penalty(model, build(model), (BATCH,), (group,), None)
    return found


def l2(strength: float) -> Callable[[nn.Module], Criterion]:
    return lambda m: lambda o, y: cross_entropy(o, y) + strength * sum(p.square().sum() for p in m.parameters())


def l1(strength: float) -> Callable[[nn.Module], Criterion]:
    return lambda m: lambda o, y: cross_entropy(o, y) + strength * sum(p.abs().sum() for p in m.parameters())


def test_l2_in_the_loss_is_a_weight_decay_of_twice_its_factor() -> None:
    found = measured(l2(5e-4))
    assert found.decay == pytest.approx(1e-3, rel=1e-3)
    assert found.forgets_in_steps == pytest.approx(1000, rel=1e-3)
    assert found.share < 0.1


def test_a_strong_penalty_outweighs_the_loss() -> None:
    assert measured(l2(1.0)).share > 1


def test_l1_is_one_too() -> None:
    assert measured(l1(1e-3)).decay > 1e-3


def test_adaptive_optimizers_divide_it() -> None:
    assert measured(l2(5e-4), ADAM).forgets_in_steps is None


@pytest.mark.parametrize("build", [lambda _: nn.CrossEntropyLoss(), lambda _: cross_entropy])
def test_without_a_penalty(build: Any) -> None:
    with pytest.raises(Unavailable, match="no penalty"):
        measured(build)


def test_another_use_of_the_model_is_no_penalty() -> None:
    other = torch.randn(32, 8)

    def consistent(model: nn.Module) -> Criterion:
        return lambda o, y: cross_entropy(o, y) + (model(other) - model(other + 0.1)).square().mean()

    with pytest.raises(Unavailable, match="not to make them small"):
        measured(consistent)


def test_one_that_the_loop_adds() -> None:
    found: Penalty = penalty(net(), nn.CrossEntropyLoss(), (BATCH,), (SGD,), None, LoopTrace(penalty=0.02))
    assert found == Penalty(0.0, 0.02, pytest.approx(50.0), None)
