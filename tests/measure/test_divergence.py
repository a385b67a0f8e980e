"""What kl_div is called with, by a module, a function of one's own, or directly."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, one_hot

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.divergence import divergence_input
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loss import divergence_of_probabilities

X, Y = torch.randn(32, 8), torch.arange(32) % 4
SOFT = (0.9 * one_hot(Y, 4) + 0.025).float()
Criterion = Callable[[Tensor, Tensor], Tensor]


def own(output: Tensor, target: Tensor) -> Tensor:
    return kl_div(output.softmax(1), (0.9 * one_hot(target, 4) + 0.025).float(), reduction="batchmean")


@pytest.mark.parametrize(
    ("criterion", "last", "target"),
    [
        (own, nn.Identity(), Y),
        (nn.KLDivLoss(reduction="batchmean"), nn.Softmax(1), SOFT),
        (kl_div, nn.Softmax(-1), SOFT),
    ],
)
def test_probabilities_where_their_logarithms_belong(criterion: Criterion, last: nn.Module, target: Tensor) -> None:
    model = nn.Sequential(nn.Linear(8, 4), last)
    seen = divergence_input(model, criterion, (Batch(X, target),))
    assert_unwell(divergence_of_probabilities, seen, severity="critical")


def test_logarithms_and_other_criteria() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.LogSoftmax(1))
    seen = divergence_input(model, nn.KLDivLoss(reduction="batchmean"), (Batch(X, SOFT),))
    assert_healthy(divergence_of_probabilities, seen)
    with pytest.raises(Unavailable):
        divergence_input(model, nn.CrossEntropyLoss(), (Batch(X, Y),))
