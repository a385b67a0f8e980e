"""Trained weights told from fresh ones."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.origins import Origin, origins

X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def block(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*block(3), *block(16), *block(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 32))


def read(model: nn.Module) -> tuple[Origin, ...]:
    return origins(model, (Batch(X, None),))


INITIALIZERS = {
    "kaiming normal": nn.init.kaiming_normal_,
    "xavier uniform": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "truncated": lambda w: nn.init.trunc_normal_(w, std=0.02),
}


@pytest.mark.parametrize("initialize", INITIALIZERS.values(), ids=INITIALIZERS)
def test_no_initialization_looks_trained(initialize: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = net()
    for module in model:
        if isinstance(module, nn.Conv2d | nn.Linear):
            initialize(module.weight)
    found = read(model)
    assert [o.name for o in found] == ["0", "3", "6", "11"]
    assert not any(o.is_trained for o in found)
    assert all(o.is_fresh for o in found[:3])


def test_the_default_initialization_of_a_layer_without_norm_is_fresh_by_its_edge() -> None:
    assert read(net())[-1].is_fresh
    model = net()
    with torch.no_grad():
        model[11].weight += 1e-3 * torch.randn_like(model[11].weight)
    assert not read(model)[-1].is_fresh


def test_one_step_moves_the_norm_after_a_layer() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    nn.functional.cross_entropy(model(X), torch.arange(4)).backward()
    optimizer.step()
    found = read(model)
    assert [o.is_trained for o in found] == [True, True, True, False]
    assert not any(o.is_fresh for o in found[:3])


def test_unequal_units_look_trained() -> None:
    model = net()
    with torch.no_grad():
        model[3].weight *= torch.linspace(0.2, 3, 16)[:, None, None, None]
    assert [o.weights_moved for o in read(model)] == [False, True, False, False]


def test_constant_tiled_and_zero_weights_are_neither() -> None:
    model = net()
    with torch.no_grad():
        model[0].weight.fill_(0.1)
        model[3].weight.copy_(model[3].weight[:1, :1].expand_as(model[3].weight))
        model[6].weight.zero_()
    assert [(o.is_trained, o.is_fresh) for o in read(model)[:3]] == [(False, False)] * 3
