"""A loss that is divided by its samples once more."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loop_loss import divided_twice

X, Y = torch.randn(48, 8), torch.arange(48) % 2
MEAN, SUM = (CriterionKind("CrossEntropyLoss", "cross_entropy", r, descends=True) for r in ("mean", "sum"))


def watched(loss: Callable[[Tensor, Tensor], Tensor], every: int = 1) -> LoopTrace:
    """Six batches of eight; a step after so many."""
    recorder, model = Recorder(stops=False), nn.Linear(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        for i, (x, y) in enumerate(zip(X.split(8), Y.split(8), strict=True)):
            loss(model(x), y).backward()
            if i % every == every - 1:
                optimizer.step()
                optimizer.zero_grad()
    return traced(recorder)


def groups(rate: float, optimizer: str = "SGD") -> tuple[Group, ...]:
    return (Group("optimizer.param_groups[0]", optimizer, rate, rate, 0.0, 0.9, False, None, None, 1, 1),)


@pytest.mark.parametrize(("rate", "severity"), [(0.01, "warning"), (0.8, "info")])
def test_a_mean_that_is_divided_by_the_samples(rate: float, severity: str) -> None:
    seen = watched(lambda out, y: nn.functional.cross_entropy(out, y) / len(y))
    assert seen.division is not None
    assert (seen.division.losses, seen.division.samples) == (6, 8)
    assert_unwell(divided_twice, seen, MEAN, groups(rate), severity=severity, mentions="8 samples")


def test_a_sum_that_is_divided_is_a_mean() -> None:
    seen = watched(lambda out, y: nn.functional.cross_entropy(out, y, reduction="sum") / len(y))
    assert_healthy(divided_twice, seen, SUM, groups(0.01))


@pytest.mark.parametrize(
    ("loss", "every"),
    [
        (nn.functional.cross_entropy, 1),
        (lambda out, y: nn.functional.cross_entropy(out, y) / 4, 1),
        # Eight batches make up a step.
        (lambda out, y: nn.functional.cross_entropy(out, y) / 8, 8),
        (lambda out, y: nn.functional.cross_entropy(out, y) / 8, 2),
        (lambda out, y: nn.functional.cross_entropy(out, y) + out.square().mean(), 1),
    ],
)
def test_losses_in_order(loss: Callable[[Tensor, Tensor], Tensor], every: int) -> None:
    assert_healthy(divided_twice, watched(loss, every), MEAN, groups(0.01))
