"""The chance level of a criterion: class weights and factors count."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.chance import chance_loss


def test_chance_counts_class_weights() -> None:
    targets = torch.tensor([0] * 90 + [1] * 10)
    batches = (Batch(torch.zeros(100, 2), targets),)
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0]))
    assert chance_loss(batches) == pytest.approx(0.325, abs=1e-3)
    assert chance_loss(batches, weighted) == pytest.approx(math.log(2), abs=1e-3)
    assert float(weighted(torch.zeros(100, 2), targets)) == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize(
    ("criterion", "times"),
    [
        (lambda o, t: 1e-4 * nn.functional.cross_entropy(o, t), 1e-4),
        (lambda o, t: 1000 * nn.functional.cross_entropy(o, t), 1000),
        (nn.CrossEntropyLoss(label_smoothing=0.1), 1),
        (nn.CrossEntropyLoss(reduction="sum"), 1),
        (nn.CrossEntropyLoss(reduction="none"), 1),
        (nn.MSELoss(), 1),
    ],
)
def test_chance_counts_what_the_loss_is_multiplied_by(criterion: Any, times: float) -> None:
    batches = (Batch(torch.zeros(100, 2), torch.arange(100) % 10),)
    assert chance_loss(batches, criterion) == pytest.approx(times * math.log(10), rel=1e-3)
