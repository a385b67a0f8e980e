"""How much classes count is seen in the gradient, for PyTorch's criteria and for a user's own."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.class_weights import ClassWeights, class_weights
from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.targets import Targets

KIND = CriterionKind("criterion", "cross_entropy", "mean", True)
EVEN = {0: 100, 1: 100, 2: 100}
RARE = {0: 1000, 1: 100, 2: 10}


def measured(criterion: Any, counts: dict[int, int], loader: Any = None, batches: Any = ()) -> ClassWeights:
    targets = Targets("indices", (32,), "int64", None, 0, 2, counts, True)
    found: ClassWeights = class_weights(criterion, KIND, targets, batches, loader, 3)
    return found


def focal(scores: Tensor, targets: Tensor) -> Tensor:
    loss = functional.cross_entropy(scores, targets, reduction="none")
    return (torch.tensor([1.0, 1.0, 4.0])[targets] * (1 - torch.exp(-loss)) ** 2 * loss).mean()


def test_no_weights() -> None:
    found = measured(nn.CrossEntropyLoss(label_smoothing=0.1), EVEN)
    assert (found.weighted, found.silenced) == (False, ())
    assert found.excess == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0])
def test_weights_between_equal_and_inverse_frequency_leave_nothing(power: float) -> None:
    weight = torch.tensor([float(n) for n in RARE.values()]).pow(-power)
    assert measured(nn.CrossEntropyLoss(weight=weight), RARE).excess == pytest.approx(1, rel=1e-3)
    assert measured(nn.CrossEntropyLoss(weight=weight, reduction="sum"), RARE).excess == pytest.approx(1, rel=1e-3)


def test_a_users_own_criterion_is_seen_through() -> None:
    found = measured(focal, EVEN)
    assert (found.heavy, found.excess) == (2, pytest.approx(4, rel=1e-3))


def test_the_excess_counts_from_the_nearer_end_of_the_span() -> None:
    frequent_first = torch.tensor([50.0, 1.0, 1.0])
    assert measured(nn.CrossEntropyLoss(weight=frequent_first), RARE).excess == pytest.approx(50, rel=1e-3)
    rare_too_much = torch.tensor([1.0, 10.0, 2000.0])
    assert measured(nn.CrossEntropyLoss(weight=rare_too_much), RARE).excess == pytest.approx(20, rel=1e-3)


def test_zero_and_negative_weights() -> None:
    silent = measured(nn.CrossEntropyLoss(weight=torch.tensor([0.0, 1.0, 1.0])), RARE)
    assert silent.silenced == (0,)
    assert silent.silenced_share == pytest.approx(1000 / 1110)
    assert min(measured(nn.CrossEntropyLoss(weight=torch.tensor([1.0, -1.0, 1.0]), reduction="sum"), EVEN).weights) < 0


def test_a_weighted_sampler_on_top_counts_twice() -> None:
    labels = torch.arange(96) % 3
    loader = DataLoader(TensorDataset(torch.zeros(96), labels), sampler=WeightedRandomSampler([1.0] * 96, 96))
    weight = torch.tensor([1.0, 10.0, 100.0])
    found = measured(nn.CrossEntropyLoss(weight=weight), RARE, loader, (Batch(torch.zeros(96), labels),))
    assert found.excess == pytest.approx(100, rel=1e-3)


def test_other_tasks_do_not_apply() -> None:
    dense = Targets("dense", (32, 5), "float32", 5, None, None, {}, False)
    with pytest.raises(Unavailable, match="does not choose"):
        class_weights(nn.MSELoss(), KIND, dense, (), None, None)
    with pytest.raises(Unavailable, match="2 to 2000"):
        measured(nn.CrossEntropyLoss(), {})
