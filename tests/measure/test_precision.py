"""Half precision, measured on the CPU by holding single precision against float16's range."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch, BatchSize, forward
from trainingdoctor.measure.precision import (
    HalfRange,
    LostUpdates,
    PrecisionPlan,
    half_range,
    lost_updates,
    precision_plan,
)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))


BATCH = Batch(torch.randn(32, 8, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 4)


def plan(model: nn.Module, amp: Any = None, device: Any = None, optimizers: Any = None) -> PrecisionPlan:
    found: PrecisionPlan = precision_plan(model, amp, device, optimizers)
    return found


def test_single_precision_does_not_apply() -> None:
    for amp in (None, torch.float32):
        with pytest.raises(Unavailable, match="single precision"):
            plan(net(), amp)


@pytest.mark.parametrize(
    ("amp", "device", "said"),
    [
        (True, "cuda", "float16"),
        (True, "cuda:1", "float16"),
        (True, None, "bfloat16"),
        (torch.float16, None, "float16"),
    ],
)
def test_the_dtype_of_autocast(amp: Any, device: Any, said: str) -> None:
    assert plan(net(), amp, device).amp == said


def test_half_weights_statistics_and_state() -> None:
    model = net().half()
    found = plan(model, optimizers=(Adam(model.parameters()),))
    assert (found.weights, found.statistics, found.state) == ("float16", "float16", "float16")
    assert (found.momentum, found.eps, found.optimizer) == (0.1, 1e-8, "Adam")
    model[1].float()
    assert plan(model).statistics is None


def ranged(model: nn.Module, criterion: Any = None, batch: int = 32) -> HalfRange:
    criterion = criterion or nn.CrossEntropyLoss()
    found: HalfRange = half_range(model, plan(model, torch.float16), (BATCH,), criterion, BatchSize(batch))
    return found


def test_a_normal_net_stays_in_range() -> None:
    assert ranged(net()).largest < 100
    assert ranged(net()).vanishing < 0.01


def test_an_overflow_is_found_and_named() -> None:
    model = net()
    model[3].weight.data *= 1e6
    found = ranged(model)
    assert found.module == "3"
    assert found.largest > 65504


def test_small_gradients_vanish() -> None:
    def tiny(scores: Tensor, targets: Tensor) -> Tensor:
        return 1e-8 * nn.functional.cross_entropy(scores, targets)

    assert ranged(net(), tiny).vanishing > 0.9
    # The mean over a batch of a million makes each sample's gradient a million times smaller.
    assert ranged(net(), batch=32 * 10**6).vanishing > 0.5


def test_bfloat16_has_the_range_of_float32() -> None:
    with pytest.raises(Unavailable, match="does not use float16"):
        half_range(net(), plan(net(), torch.bfloat16), (BATCH,), nn.CrossEntropyLoss(), BatchSize(32))


def stepped(model: nn.Module, optimizer: Any) -> LostUpdates:
    held = (optimizer,)
    found: LostUpdates = lost_updates(
        model, plan(model, optimizers=held), held, (BATCH,), nn.CrossEntropyLoss(), None, None
    )
    return found


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_updates_are_lost_at_a_low_rate_only(dtype: torch.dtype) -> None:
    model = net().to(dtype)
    assert stepped(model, SGD(model.parameters(), lr=1.0)).lost < 0.1
    model = net().to(dtype)
    assert stepped(model, SGD(model.parameters(), lr=1e-4)).lost > 0.8


def test_adams_epsilon_is_nothing_in_float16() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            # Gradients of 1e-5, whose squares are zero in float16.
            return self.layer(x * 1e-5)

    model = Gated().half()
    assert stepped(model, Adam(model.parameters(), lr=1e-3)).nonfinite > 0.5
    model = Gated().half()
    assert stepped(model, Adam(model.parameters(), lr=1e-3, eps=1e-4)).nonfinite == 0


def test_single_weights_lose_nothing() -> None:
    with pytest.raises(Unavailable, match="single precision"):
        lost_updates(net(), plan(net(), torch.float16), (), (BATCH,), nn.CrossEntropyLoss(), None, None)


def test_inputs_follow_a_half_precision_model() -> None:
    assert forward(net().bfloat16(), BATCH).dtype is torch.bfloat16
    assert forward(net(), BATCH).dtype is torch.float32
