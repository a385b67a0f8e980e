"""What a criterion is, told by calling it: of torch, and written by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainingdoctor.measure.criterion import _probed, smoothing_of
from trainingdoctor.testing import assert_unwell
from trainingdoctor_checks.loss import sign


def first_output(predictions: Tensor, targets: Tensor) -> Tensor:
    return (predictions[:, 0] - targets).square().mean()


def mean_output(predictions: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(predictions.mean(1), targets.float())


def focal(predictions: Tensor, targets: Tensor) -> Tensor:
    loss = F.cross_entropy(predictions, targets, reduction="none")
    return ((1 - (-loss).exp()) ** 2 * loss).mean()


@pytest.mark.parametrize(
    ("criterion", "kind"),
    [
        (nn.CrossEntropyLoss(), "cross_entropy"),
        (nn.CrossEntropyLoss(label_smoothing=0.1), "cross_entropy"),
        (nn.CrossEntropyLoss(label_smoothing=0.9), "cross_entropy"),
        (focal, "cross_entropy"),
        (nn.NLLLoss(), "nll"),
        (nn.MultiMarginLoss(), "cross_entropy"),
        (first_output, "regression"),
        (mean_output, "regression"),
    ],
)
def test_with_class_numbers(criterion: Callable[..., Tensor], kind: str) -> None:
    torch.manual_seed(0)
    probed = _probed(criterion, "loss", 10, dense=False)
    assert (probed.kind, probed.descends) == (kind, True)


@pytest.mark.parametrize(
    ("criterion", "kind"),
    [
        (nn.MSELoss(), "regression"),
        (nn.L1Loss(), "regression"),
        (nn.BCELoss(), "bce"),
        (nn.BCEWithLogitsLoss(), "bce_with_logits"),
        (nn.CrossEntropyLoss(), "cross_entropy"),
    ],
)
def test_with_rows(criterion: Callable[..., Tensor], kind: str) -> None:
    torch.manual_seed(0)
    assert _probed(criterion, "loss", 10, dense=True).kind == kind


def contrastive(distances: Tensor, same: Tensor, margin: float = 2.0) -> Tensor:
    """Hadsell et al. 2006: pairs that belong together come close, others go away."""
    return (same * distances.square() + (1 - same) * (margin - distances).clamp_min(0).square()).mean()


@pytest.mark.parametrize(
    ("criterion", "distances"),
    [
        (contrastive, True),
        (lambda p, t: -F.binary_cross_entropy_with_logits(p, t), False),
        (lambda p, t: -F.binary_cross_entropy(p, t), False),
        (lambda p, t: -F.mse_loss(p, t), False),
        (lambda p, t: -F.cross_entropy(p, t), False),
        (lambda p, t: (F.log_softmax(p, 1) * t).sum(1).mean(), False),
    ],
)
def test_a_loss_of_distances_is_not_one_of_the_wrong_sign(criterion: Callable[..., Tensor], distances: bool) -> None:
    torch.manual_seed(0)
    probed = _probed(criterion, "loss", 4, dense=True)
    assert (probed.descends, probed.of_distances) == (False, distances)


class Smoothing(nn.Module):
    """As timm's, which has another name for it than torch."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        logarithms = output.log_softmax(-1)
        right = -logarithms.gather(-1, target.unsqueeze(1)).squeeze(1)
        return (0.9 * right - 0.1 * logarithms.mean(-1)).mean()


def test_label_smoothing_is_seen_whatever_it_is_called() -> None:
    assert smoothing_of(nn.CrossEntropyLoss(label_smoothing=0.2)) == pytest.approx(0.2)
    assert smoothing_of(Smoothing()) == pytest.approx(0.1, abs=1e-3)
    assert smoothing_of(lambda o, t: F.cross_entropy(o, t, label_smoothing=0.05)) == pytest.approx(0.05, abs=1e-3)
    plain: tuple[Any, ...] = (
        nn.CrossEntropyLoss(),
        nn.MSELoss(),
        F.cross_entropy,
        nn.CrossEntropyLoss(torch.ones(3)),
        None,
    )
    assert [smoothing_of(criterion) for criterion in plain] == [0, 0, 0, 0, 0]


def inverted_focal(predictions: Tensor, targets: Tensor) -> Tensor:
    """Weighs most what is predicted best."""
    loss = F.cross_entropy(predictions, targets, reduction="none")
    return ((-loss).exp() ** 2 * loss).mean()


def negated(predictions: Tensor, targets: Tensor) -> Tensor:
    return -F.cross_entropy(predictions, targets)


@pytest.mark.parametrize(("criterion", "positive"), [(inverted_focal, True), (negated, False)])
def test_what_rises_with_the_right_score_has_a_wrong_sign_or_another_shape(
    criterion: Callable[..., Any], positive: bool
) -> None:
    probed = _probed(criterion, "loss", 10, False)
    assert (probed.descends, probed.positive) == (False, positive)
    assert_unwell(sign, probed, mentions="focal" if positive else "Negate")
