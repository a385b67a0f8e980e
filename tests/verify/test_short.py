"""A short training sees the same samples, and the whole of its schedule."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.conftest import build
from torch.optim.lr_scheduler import MultiStepLR, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor import UserError
from trainingdoctor.verify.short import FirstBatches, part_of, shortened
from trainingdoctor.verify.task import Size

SIZE = Size(samples=32, epochs=4, evaluation=16, longest=0)


def numbers(count: int = 100) -> TensorDataset:
    return TensorDataset(torch.arange(count))


def drawn(loader: Any) -> list[int]:
    return [int(x) for batch in loader for x in batch[0]]


def test_the_part_is_the_same_for_every_seed_and_its_order_is_not() -> None:
    loader = DataLoader(numbers(), batch_size=8, shuffle=True)
    one, other = drawn(part_of(loader, 32, 0)), drawn(part_of(loader, 32, 1))
    assert sorted(one) == sorted(other)
    assert one != other
    assert one == drawn(part_of(loader, 32, 0))
    assert len(one) == 32


def test_what_is_not_shuffled_stays_in_order() -> None:
    part = drawn(part_of(DataLoader(numbers(), batch_size=8), 32, 0))
    assert part == sorted(part)


def test_a_loader_of_no_data_set_gives_its_first_batches() -> None:
    class Endless:
        def __iter__(self) -> Iterator[int]:
            yield from iter(int, 1)

    part = part_of(Endless(), 1000, 0)
    assert isinstance(part, FirstBatches)
    assert len(list(part)) == len(part) == 7


def rates(training: Any) -> list[float]:
    """Of each step of the short run."""
    found = []
    for _ in range(int(training.epochs) * len(training.train_loader)):
        found.append(training.optimizer.param_groups[0]["lr"])
        training.scheduler.step()
    return found


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def test_the_whole_schedule_is_pressed_into_the_short_run() -> None:
    own = optimizer()
    training = build(optimizer=own, scheduler=MultiStepLR(own, [80, 120]), epochs=160)
    seen = rates(shortened(training, SIZE, 0))
    assert seen[0] == pytest.approx(0.1)
    assert seen[-1] == pytest.approx(0.001)
    assert seen.count(pytest.approx(0.1)) == len(seen) // 2


def test_a_schedule_by_step_peaks_and_ends_as_it_would() -> None:
    own = optimizer()
    loader = build().train_loader
    scheduler = OneCycleLR(own, max_lr=0.5, total_steps=20 * len(loader))  # type: ignore[arg-type]
    training = build(optimizer=own, scheduler=scheduler, epochs=20, scheduler_interval="step")
    seen = rates(shortened(training, Size(96, 20, 16), 0))
    assert max(seen) == pytest.approx(0.5, rel=0.02)
    assert seen[-1] < 0.01


def test_groups_keep_their_proportion() -> None:
    a, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    own = torch.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.01}], lr=0.1)
    training = shortened(build(optimizer=own, scheduler=MultiStepLR(own, [80]), epochs=160), SIZE, 0)
    for _ in range(3 * len(training.train_loader)):  # type: ignore[arg-type]
        training.scheduler.step()
    assert [g["lr"] for g in own.param_groups] == pytest.approx([0.01, 0.001])


def test_without_a_schedule_the_rate_stays_and_one_that_follows_a_metric_is_kept() -> None:
    own = optimizer()
    assert shortened(build(optimizer=own, scheduler=None), SIZE, 0).scheduler is None
    plateau = ReduceLROnPlateau(own)
    assert shortened(build(optimizer=own, scheduler=plateau), SIZE, 0).scheduler is plateau


def test_a_schedule_that_raises_on_the_way_is_an_error_in_one_sentence() -> None:
    own = optimizer()
    training = build(optimizer=own, scheduler=OneCycleLR(own, 0.1, total_steps=10), epochs=60)
    with pytest.raises(UserError, match="would stop in its run"):
        shortened(training, SIZE, 0)
