"""As many trainings as the budget takes, and as long as they can be."""

from pathlib import Path

import pytest

from trainingdoctor import UserError
from trainingdoctor.verify.plan import Pace, Variant, planned
from trainingdoctor.verify.task import Size, Task

PACE = Pace(start=2.0, sample=0.001)
CIFAR = Size(samples=50_000, epochs=164, evaluation=2_000, longest=164)
FIVE = [Variant(name) for name in ("before", "after", "without a", "without b", "only a")]


def test_the_plan_fits_its_budget() -> None:
    for budget in (80.0, 300.0, 600.0, 36_000.0):
        assert planned(FIVE, PACE, budget, 3, CIFAR).seconds <= budget * 1.01


def test_before_and_after_get_the_usual_length_before_others_are_trained() -> None:
    small, large = planned(FIVE, PACE, 200.0, 3, CIFAR), planned(FIVE, PACE, 900.0, 3, CIFAR)
    assert [v.name for v in small.variants] == ["before", "after"]
    assert [v.name for v in small.left_out] == ["without a", "without b", "only a"]
    assert len(large.variants) == 5
    assert large.size.samples * large.size.epochs >= 45_000


def test_more_budget_gives_samples_first_and_then_epochs() -> None:
    sizes = [planned(FIVE[:2], PACE, budget, 3, CIFAR).size for budget in (100.0, 1_000.0, 100_000.0)]
    assert [s.samples for s in sizes] == sorted(s.samples for s in sizes)
    assert sizes[0].epochs <= sizes[1].epochs == 10 < sizes[2].epochs == 164
    assert sizes[2].samples == 50_000


def test_a_small_training_is_not_made_longer_than_it_is() -> None:
    assert planned(FIVE, PACE, 36_000.0, 3, Size(300, 5, 100, 5)).size == Size(300, 5, 100, 5)


def test_a_budget_that_is_too_small_says_what_is_needed() -> None:
    with pytest.raises(UserError, match="about 64 s are needed"):
        planned(FIVE, PACE, 20.0, 3, CIFAR)


def test_all_seeds_of_before_and_after_come_first() -> None:
    plan = planned(FIVE, PACE, 3_000.0, 2, CIFAR)
    tasks = plan.tasks(Task("", Path("config.py"), 0, CIFAR))
    assert [(t.variant, t.seed) for t in tasks[:4]] == [("before", 0), ("after", 0), ("before", 1), ("after", 1)]
    assert len(tasks) == 10


def test_a_variant_that_plans_fewer_epochs_gets_as_many_fewer() -> None:
    size = Size(1000, 10, 100, longest=160)
    assert [size.epochs_of(n) for n in (160, 80, 3, None)] == [10, 5, 1, 10]
