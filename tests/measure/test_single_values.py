"""Normalizations of one value."""

import pytest
import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.single_values import SingleValues, single_values
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.model_structure import normalizes_one_value

IMAGES = (Batch(torch.randn(8, 3, 8, 8), torch.arange(8) % 2),)


def net(norm: nn.Module, late: bool) -> nn.Module:
    pool = nn.AdaptiveAvgPool2d(1)
    middle = (pool, norm) if late else (norm, pool)
    return nn.Sequential(nn.Conv2d(3, 16, 3), *middle, nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize("norm", [nn.GroupNorm(16, 16), nn.LayerNorm(1), nn.LayerNorm([1, 1])])
def test_one_value_by_itself(norm: nn.Module) -> None:
    seen = single_values(net(norm, late=True), IMAGES)
    assert seen.names == ("2",)
    assert_unwell(normalizes_one_value, seen, severity="critical", mentions="2")


@pytest.mark.parametrize(
    ("norm", "late"), [(nn.GroupNorm(4, 16), True), (nn.GroupNorm(16, 16), False), (nn.LayerNorm([16, 6, 6]), False)]
)
def test_several_values(norm: nn.Module, late: bool) -> None:
    seen = single_values(net(norm, late), IMAGES)
    assert seen == SingleValues(1, ())
    assert_healthy(normalizes_one_value, seen)
