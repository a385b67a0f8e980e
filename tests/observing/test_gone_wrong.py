"""Loops that lose gradients, weights, statistics or most of an epoch, watched in this process, and the ones in order beside them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import loop, loop_gradients, loop_models, loop_passes, scheduler

X = torch.randn(180, 8, generator=torch.Generator().manual_seed(0))
Y = (X.sum(1) > 0).long()
TRAIN, TEST = DataLoader(TensorDataset(X[:120], Y[:120]), 10), DataLoader(TensorDataset(X[120:], Y[120:]), 13)
CHECKS = (
    *(loop.inplace_weights, loop.detached, loop.zero_grad_missing, *loop_gradients.CHECKS),
    *(loop_models.average_statistics, loop_passes.epoch_cut, scheduler.plateau_mode),
)
Step = Callable[[nn.Module, torch.optim.Optimizer, Tensor, int], object]


def plain(_: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, __: int) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def watched(
    step: Step = plain,
    *,
    begin: Callable[[nn.Module], object] = lambda _: None,
    other: Callable[[nn.Module], nn.Module] = lambda model: model,
    metric: Callable[[float, float], float] = lambda loss, accuracy: loss,
    mode: str = "min",
    rate: float = 0.1,
) -> LoopTrace:
    """Three epochs of twelve steps, or until a step says that the epoch is over; other(model) is evaluated."""
    torch.manual_seed(0)
    recorder = Recorder(stops=False)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode)
    beside = other(model)
    with observed(recorder):
        for _ in range(3):
            begin(model)
            model.train()
            for i, (x, y) in enumerate(TRAIN):
                if step(model, optimizer, nn.functional.cross_entropy(model(x), y), i):
                    break
                if beside is not model:
                    average(beside, model)
            beside.eval()
            losses, right = 0.0, 0
            with torch.no_grad():
                for x, y in TEST:
                    output = beside(x)
                    losses += float(nn.functional.cross_entropy(output, y)) * len(x)
                    right += int((output.argmax(1) == y).sum())
            plateau.step(metric(losses / 60, right / 60))
    recorder.epochs = 3
    return traced(recorder)


@torch.no_grad()
def average(other: nn.Module, model: nn.Module) -> None:
    for a, b in zip(other.parameters(), model.parameters(), strict=True):
        a.lerp_(b, 0.1)
    if getattr(other, "whole", False):
        for a, b in zip(other.buffers(), model.buffers(), strict=True):
            a.copy_(b)


def found(seen: LoopTrace) -> list[str]:
    return [c.code for c in CHECKS if any(getattr(f, "severity", None) in ("warning", "critical") for f in c(seen))]


def micro(_: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, i: int) -> None:
    optimizer.zero_grad()
    (loss / 4).backward()
    if (i + 1) % 4 == 0:
        optimizer.step()


def accumulated(_: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, i: int) -> None:
    (loss / 4).backward()
    if (i + 1) % 4 == 0:
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_that_are_cleared_before_the_step(to_none: bool) -> None:
    def step(_: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, __: int) -> None:
        loss.backward()
        optimizer.zero_grad(set_to_none=to_none)
        optimizer.step()

    assert found(watched(step)) == ["loop.gradients_lost"]


def test_gradients_that_are_cleared_before_each_part_of_a_batch() -> None:
    assert found(watched(micro)) == ["loop.gradients_lost"]
    assert found(watched(accumulated)) == []


@pytest.mark.parametrize("right", [False, True])
def test_a_scaler_that_is_passed_by(right: bool) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)

    def step(_: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, __: int) -> None:
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if right:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()

    assert found(watched(step)) == ([] if right else ["precision.scaler_bypassed"])


def test_weights_of_the_beginning_in_each_epoch() -> None:
    state: dict[str, Any] = {}

    def begin(model: nn.Module) -> None:
        model.load_state_dict(state) if state else state.update(copy.deepcopy(model.state_dict()))

    # So little is learned in an epoch that the weights hardly change.
    seen = watched(begin=begin, rate=1e-4)
    assert_unwell(loop.inplace_weights, seen, severity="warning", mentions="before the first step")


def test_an_average_without_statistics() -> None:
    def whole(model: nn.Module) -> nn.Module:
        other = copy.deepcopy(model)
        other.whole = True  # type: ignore[assignment]
        return other

    seen = watched(other=copy.deepcopy)
    assert found(seen) == ["loop.average_statistics"]
    assert [p.kind for p in seen.passes] == ["training", "evaluation"] * 3
    assert found(watched(other=whole)) == []


def test_an_epoch_that_is_left_early() -> None:
    seen = watched(lambda m, o, loss, i: plain(m, o, loss, i) or i >= 2)
    assert_unwell(loop_passes.epoch_cut, seen, severity="warning", mentions="3 of 12")


@pytest.mark.parametrize(
    ("penalty", "decay"),
    [
        (lambda model: 0.05 * sum(p.square().sum() for p in model.parameters()), 0.1),
        (lambda model: 0.02 * sum(p.square().sum() for p in model.parameters() if p.ndim > 1), 0.04),
        # Something else that is added, and nothing.
        (lambda model: 0.1 * model[0].weight.abs().mean(), None),
        (lambda _: 0.0, None),
    ],
)
def test_a_penalty_that_the_loop_adds(penalty: Callable[[nn.Module], Tensor], decay: float | None) -> None:
    def step(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, i: int) -> None:
        plain(model, optimizer, loss + penalty(model), i)

    seen = watched(step).penalty
    assert seen == (None if decay is None else pytest.approx(decay, rel=1e-3))


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("told", ["loss", "accuracy", "percent", "other"])
def test_what_a_plateau_is_told(mode: str, told: str) -> None:
    metrics = {
        "loss": lambda loss, _: round(loss, 4),
        "accuracy": lambda _, accuracy: accuracy,
        "percent": lambda _, accuracy: 100 * accuracy,
        "other": lambda loss, accuracy: loss * accuracy + 7,
    }
    seen = watched(metric=metrics[told], mode=mode)
    right = told == "other" or (told == "loss") == (mode == "min")
    (assert_healthy if right else assert_unwell)(scheduler.plateau_mode, seen)
    assert seen.schedulers[0].told == {"percent": "accuracy", "other": ""}.get(told, told)


def by_slices(batch: Callable[[Tensor, int], Tensor]) -> LoopTrace:
    """Two epochs of a loop without loaders."""
    torch.manual_seed(0)
    recorder, model, data = Recorder(stops=False), nn.Linear(8, 2), X.clone()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with observed(recorder):
        for i in [*range(0, 180, 20)] * 2:
            plain(model, optimizer, nn.functional.cross_entropy(model(batch(data, i)), Y[i : i + 20]), 0)
    return traced(recorder)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (lambda data, i: data[i : i + 20], []),
        (lambda data, i: data[i : i + 20] / 2, []),
        (lambda data, i: data[torch.arange(i, i + 20)], []),
        # The same view in each step: what is there to train on.
        (lambda data, _, kept=[]: kept.append(data[:20]) or kept[0], []),
        (lambda data, _: data[:20], ["loop.same_slice"]),
        (lambda data, i: data[i : i + 20].div_(2), ["loop.data_overwritten"]),
    ],
)
def test_slices_of_the_data(batch: Callable[[Tensor, int], Tensor], expected: list[str]) -> None:
    seen = by_slices(batch)
    checks = (loop_passes.same_slice, loop_passes.data_overwritten)
    assert [c.code for c in checks if any(getattr(f, "severity", None) for f in c(seen))] == expected
