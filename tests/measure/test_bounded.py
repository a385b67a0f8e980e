"""Cosines that go into a cross-entropy."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainingdoctor import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.bounded import BoundedOutputs, bounded_outputs
from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.outputs import outputs
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loss_targets import bounded_logits

KIND = CriterionKind("CrossEntropyLoss", "cross_entropy", "mean", descends=True)
X = torch.randn(16, 12, generator=torch.Generator().manual_seed(0))


class Cosines(nn.Module):
    """Of features and centers of the classes. learned: the scale is a parameter."""

    def __init__(self, classes: int = 10, scale: float = 1.0, learned: bool = False) -> None:
        super().__init__()
        self.body, self.centers = (
            nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8)),
            nn.Parameter(torch.randn(classes, 8)),
        )
        self.scale = nn.Parameter(torch.tensor(scale)) if learned else scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(
            self.scale * functional.normalize(self.body(x), dim=1) @ functional.normalize(self.centers, dim=1).T
        )


def batch(classes: int = 10) -> Batch:
    return Batch(X, torch.arange(16) % classes)


def seen(model: nn.Module, criterion: Callable[..., Any] | None = None, classes: int = 10) -> BoundedOutputs:
    return bounded_outputs(model, criterion or nn.CrossEntropyLoss(), (batch(classes),))


@pytest.mark.parametrize(("classes", "severity"), [(10, "warning"), (40, "warning"), (4, "info")])
def test_cosines_without_a_scale(classes: int, severity: str) -> None:
    torch.manual_seed(0)
    model = Cosines(classes)
    given = outputs(model, (batch(classes),))
    found = seen(model, classes=classes)
    assert found.bound is not None
    assert found.bound <= 1.001
    assert_unwell(bounded_logits, found, KIND, given, severity=severity, mentions="cosines")


def scaled(predictions: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(16 * predictions, targets)


@pytest.mark.parametrize(
    ("model", "criterion"),
    [
        (lambda: Cosines(scale=16.0), None),
        (lambda: Cosines(learned=True), None),
        (Cosines, scaled),
        # Small at the start, and free to grow; the last layer's weights behind a norm of their own.
        (lambda: nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 10)), None),
        (lambda: nn.Sequential(nn.LayerNorm(12), nn.utils.parametrizations.weight_norm(nn.Linear(12, 10))), None),
    ],
)
def test_logits_that_can_grow(model: Callable[[], nn.Module], criterion: Callable[..., Any] | None) -> None:
    torch.manual_seed(0)
    built = model()
    given = outputs(built, (batch(),))
    assert_healthy(bounded_logits, seen(built, criterion), KIND, given)


def test_where_there_are_no_classes_nothing_is_measured() -> None:
    with pytest.raises(Unavailable, match="no class numbers"):
        bounded_outputs(Cosines(), nn.MSELoss(), (Batch(X, torch.randn(16)),))
    with pytest.raises(Unavailable, match="one number for each class"):
        seen(nn.Linear(12, 4))
