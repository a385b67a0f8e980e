"""What a criterion can come down to, searched over its outputs."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.floor import floor_of

DRAW = torch.Generator().manual_seed(0)
PIXELS = 0.2 + 0.6 * torch.rand(32, 20, generator=DRAW)
CLASSES = torch.arange(32) % 4
NUMBERS = torch.randn(32, 1, generator=DRAW)
ENTROPY = float(functional.binary_cross_entropy(PIXELS, PIXELS))
MEAN = float(functional.binary_cross_entropy(PIXELS.mean(0).expand_as(PIXELS), PIXELS))
SMOOTHED = float(-(0.925 * math.log(0.925) + 3 * 0.025 * math.log(0.025)))


def variational(output: Any, targets: Tensor) -> Tensor:
    pixels, mean, log = output
    divergence = -0.5 * (1 + log - mean**2 - log.exp()).sum(1).mean()
    return functional.binary_cross_entropy(pixels, targets, reduction="sum") / len(targets) + divergence


@pytest.mark.parametrize(
    ("criterion", "output", "targets", "free", "constant"),
    [
        (nn.BCEWithLogitsLoss(), torch.zeros(32, 20), PIXELS, ENTROPY, MEAN),
        (nn.BCEWithLogitsLoss(reduction="sum"), torch.zeros(32, 20), PIXELS, 640 * ENTROPY, 640 * MEAN),
        (nn.BCELoss(), torch.full((32, 20), 0.5), PIXELS, ENTROPY, MEAN),
        (variational, (torch.full((32, 20), 0.5), NUMBERS, NUMBERS), PIXELS, 20 * ENTROPY, 20 * MEAN),
        (nn.CrossEntropyLoss(label_smoothing=0.1), torch.zeros(32, 4), CLASSES, SMOOTHED, math.log(4)),
        (nn.CrossEntropyLoss(), torch.zeros(32, 4), CLASSES, 0.0, math.log(4)),
        (nn.MSELoss(), torch.zeros(32, 1), 200 + NUMBERS, 0.0, float(NUMBERS.var(correction=0))),
        (lambda o, t: 50 + functional.mse_loss(o, t), torch.zeros(32, 1), NUMBERS, 50.0, 50 + float(NUMBERS.var(correction=0))),
    ],
    ids=["logits", "sum", "probabilities", "variational", "smoothed", "classes", "far away", "offset"],
)  # fmt: skip
def test_the_floor_is_found(
    criterion: Callable[..., Any], output: Any, targets: Tensor, free: float, constant: float
) -> None:
    found = floor_of(output, Batch(PIXELS, targets), criterion)
    assert found is not None
    assert found.free == pytest.approx(free, rel=2e-3, abs=2e-3)
    assert found.constant == pytest.approx(constant, rel=2e-3)
    assert found.is_high == (free > constant / 2)


def test_a_criterion_that_does_not_see_the_outputs_has_none() -> None:
    output = torch.zeros(32, 4)
    assert floor_of(output, Batch(PIXELS, CLASSES), lambda o, t: (o.argmax(1) != t).float().mean()) is None
    assert floor_of(output, Batch(PIXELS, CLASSES), lambda o, t: o.sum() * math.nan) is None
    assert floor_of(None, Batch(PIXELS, CLASSES), lambda o, t: torch.zeros(())) is None


def test_what_has_too_many_outputs_or_no_floor_is_not_searched() -> None:
    many = torch.zeros(32, 40_000)
    assert floor_of(many, Batch(PIXELS, many), nn.MSELoss()) is None
    assert floor_of(torch.zeros(32, 1), Batch(PIXELS, None), lambda o: o.sum()) is None
