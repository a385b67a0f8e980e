"""Losses of a watched loop that are no numbers, or compare each prediction with all targets."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.targets import Targets
from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.loop_loss import broadcast, divided_twice, nonfinite, term_summed
from trainingdoctor_checks.scheduler import equal_schedulers

X, Y = torch.randn(6, 3), torch.randn(6)


def looped(loss: Callable[[nn.Module, int], Tensor], bias: bool = True) -> LoopTrace:
    torch.manual_seed(0)
    model = nn.Linear(3, 1, bias)
    recorder, optimizer = Recorder(), torch.optim.SGD(model.parameters(), 0.01)
    with observed(recorder):
        for step in range(4):
            optimizer.zero_grad()
            loss(model, step).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return traced(recorder)


def huber(error: Tensor) -> Tensor:
    """Two branches of one difference."""
    return torch.where(error < 1, 0.5 * error**2, error - 0.5)


def masked(model: nn.Module, step: int) -> Tensor:
    """Nothing is left of the third batch."""
    mask = torch.full((6,), step != 2).float()
    return torch.as_tensor(((model(X)[:, 0] - Y).square() * mask).sum() / mask.sum())


def divided(model: nn.Module, step: int) -> Tensor:
    return torch.as_tensor((model(X / (step != 2))[:, 0] - Y).square().mean())


def rooted(model: nn.Module, step: int) -> Tensor:
    """The root of zero: its value is fine."""
    return torch.as_tensor((model(X * (step != 1))[:, 0] - Y * (step != 1)).square().sqrt().mean())


@pytest.mark.parametrize(
    ("loss", "mentions"),
    [(masked, "loss of this batch"), (divided, "what forward() does"), (rooted, "the step before made them so")],
)
def test_a_loss_that_becomes_nan_is_found(loss: Callable[[nn.Module, int], Tensor], mentions: str) -> None:
    trace = looped(loss, bias=False)
    assert trace.nonfinite is not None
    assert trace.nonfinite.count == 3
    assert_unwell(nonfinite, trace, severity="critical", mentions=mentions)


def test_finite_losses_are_fine() -> None:
    trace = looped(lambda model, _: (model(X)[:, 0] - Y).square().mean())
    assert_healthy(nonfinite, trace)
    assert_healthy(broadcast, trace)


@pytest.mark.parametrize(
    "loss",
    [
        lambda model, _: ((model(X) - Y) ** 2).mean(),
        lambda model, _: (Y - model(X)).abs().sum() / 6,
        lambda model, _: torch.sqrt(torch.mean(torch.square(model(X)[:, 0] - Y[:, None]))),
        lambda model, _: huber((model(X) - Y).abs()).mean() + model.weight.square().sum(),
    ],
)
def test_a_difference_with_all_targets_is_found(loss: Callable[[nn.Module, int], Tensor]) -> None:
    assert_unwell(broadcast, looped(loss), severity="critical", mentions="(6, 6)")


def test_losses_of_pairs_are_fine() -> None:
    """Differences of predictions, as in RankNet, against those of the targets."""

    def ranked(model: nn.Module, _: int) -> Tensor:
        scores = model(X)
        return torch.as_tensor(((scores - scores.T) - (Y[:, None] - Y)).square().mean())

    assert_healthy(broadcast, looped(ranked))


def test_a_distance_of_distributions_compares_all_with_all() -> None:
    """The energy distance of predictions (N, 1) and targets (N)."""

    def energy(model: nn.Module, _: int) -> Tensor:
        made = model(X)
        return torch.as_tensor(2 * (made - Y).abs().mean() - (made - made.T).abs().mean())

    assert_healthy(broadcast, looped(energy))


WIDE, CODES = torch.randn(16, 5), torch.rand(16, 5)


def autoencoded(beta: float, over: int) -> LoopTrace:
    """A reconstruction that is averaged, and a divergence that is summed and divided by `over`."""
    torch.manual_seed(0)
    model = nn.Linear(5, 5)
    recorder, optimizer = Recorder(), torch.optim.SGD(model.parameters(), 0.01)
    with observed(recorder):
        for _ in range(3):
            optimizer.zero_grad()
            code = model(WIDE)
            divergence = -0.5 * torch.sum(1 + code - code.pow(2) - code.exp()) / over
            loss = nn.functional.mse_loss(code, CODES) + beta * divergence
            loss.backward()
            optimizer.step()
    return traced(recorder)


def test_a_divergence_that_is_summed_beside_an_average_is_found() -> None:
    assert_unwell(term_summed, autoencoded(1.0, over=1), severity="warning", mentions="16 samples")


def test_terms_of_one_weight_are_fine() -> None:
    assert_healthy(term_summed, autoencoded(1.0, over=16))
    assert_healthy(term_summed, autoencoded(0.01, over=1))
    # A penalty on the weights is no sum over samples.
    penalized = looped(lambda model, _: nn.functional.mse_loss(model(X), Y[:, None]) + 99 * model.weight.square().sum())
    assert penalized.terms is None


KINDS = torch.arange(16) % 5
SIXTEEN = Targets("indices", (16,), "int64", None, 0, 4, dict.fromkeys(range(5), 3), True)
SGD = Group("optimizer.param_groups[0]", "SGD", 0.1, 0.1, 0.0, 0.9, False, None, None, 20, 0)
MEAN = CriterionKind("CrossEntropyLoss", "cross_entropy", "mean", True)


def divided(by: int, batches: int = 1, reduction: str = "mean") -> LoopTrace:
    """Cross entropy of 16 samples, divided by a number; a step after so many batches."""
    torch.manual_seed(0)
    model, criterion = nn.Linear(5, 5), nn.CrossEntropyLoss(reduction=reduction)
    recorder, optimizer = Recorder(), torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        for x, y in DataLoader(TensorDataset(WIDE.repeat(48, 1), KINDS.repeat(48)), 16):
            (criterion(model(x), y) / by).backward()
            if recorder.backwards % batches == 0:
                optimizer.step()
                optimizer.zero_grad()
    return traced(recorder)


def test_a_mean_that_is_divided_by_the_batch_again_is_found() -> None:
    seen = divided(16)
    assert_unwell(divided_twice, seen, MEAN, SIXTEEN, (SGD,), severity="warning", mentions="acts as 0.00625")
    adam = replace(SGD, optimizer="Adam", betas=(0.9, 0.999), lr=1e-3, base_lr=1e-3)
    assert_unwell(divided_twice, seen, MEAN, SIXTEEN, (adam,), severity="info")
    assert_unwell(divided_twice, seen, MEAN, SIXTEEN, (replace(SGD, base_lr=1.6),), severity="info")


def test_sums_and_accumulated_batches_are_divided_rightly() -> None:
    assert_healthy(divided_twice, divided(1), MEAN, SIXTEEN, (SGD,))
    assert_healthy(divided_twice, divided(16, reduction="sum"), replace(MEAN, reduction="sum"), SIXTEEN, (SGD,))
    assert_healthy(divided_twice, divided(16, batches=16), MEAN, SIXTEEN, (SGD,))


def scheduled(which: int, step_size: int = 1) -> LoopTrace:
    one, two = nn.Linear(3, 1), nn.Linear(3, 1)
    optimizers = [torch.optim.SGD(m.parameters(), 0.1) for m in (one, two)]
    schedulers = [
        torch.optim.lr_scheduler.StepLR(optimizers[0], 1),
        torch.optim.lr_scheduler.StepLR(optimizers[which], step_size),
    ]
    recorder = Recorder()
    with observed(recorder):
        for _ in range(3):
            for model, optimizer in zip((one, two), optimizers, strict=True):
                model(X).mean().backward()
                optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
    return traced(recorder)


def test_equal_schedulers_of_one_optimizer() -> None:
    assert_unwell(equal_schedulers, scheduled(0), severity="warning", mentions="1 other optimizer has none")
    assert_healthy(equal_schedulers, scheduled(1))
    assert_healthy(equal_schedulers, scheduled(0, step_size=2))
