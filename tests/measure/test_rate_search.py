"""Which learning rates are tried, and for how long, on loss curves made by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.rate_search import Trial, explored, prolonged
from trainingdoctor.measure.trials import chance_loss

CHANCE = 2.3


def curve(ends: dict[float, float], asked: list[tuple[float, int]]) -> Callable[[float, int], Trial]:
    """Trials that end at the given losses, by factor (at chance for every other); writes down what was asked for."""

    def trial(factor: float, times: int) -> Trial:
        asked.append((factor, times))
        return Trial(factor, 0.1 * factor, (CHANCE, *[ends.get(factor, CHANCE)] * 8), False)

    return trial


def test_a_rate_that_learns_is_tried_alone() -> None:
    asked: list[tuple[float, int]] = []
    trials = explored(curve({1.0: 1.5}, asked), CHANCE, CHANCE)
    assert [t.factor for t in trials] == [1.0]
    assert asked == [(1.0, 1)]


def test_a_rate_that_learns_a_little_is_compared_up_to_a_thousand_times() -> None:
    ends = {1.0: 2.15, 0.1: 2.28, 10.0: 2.14, 100.0: 2.13, 1000.0: 2.12}
    assert max(t.factor for t in explored(curve(ends, []), CHANCE, CHANCE)) == 1000.0


def test_where_nothing_learns_far_higher_rates_are_tried() -> None:
    trials = explored(curve({1e5: 2.0}, []), CHANCE, CHANCE)
    assert [t.factor for t in trials] == [1.0, 0.1, 0.01, 10.0, 100.0, 1000.0, 1e4, 1e5]


def test_higher_rates_are_tried_until_one_does_worse() -> None:
    trials = explored(curve({1.0: 2.2, 0.1: 2.25, 10.0: 2.4}, []), CHANCE, CHANCE)
    assert max(t.factor for t in trials) == 10.0


def test_a_rate_that_began_to_learn_is_tried_for_longer() -> None:
    trials = explored(curve({100.0: 2.25, 1000.0: 2.29}, []), CHANCE, CHANCE)
    longer = curve({100.0: 1.5}, asked := [])
    ends = {t.factor: t.end for t in prolonged(trials, lambda f: longer(f, 3), CHANCE, CHANCE)}
    assert ends[100.0] == 1.5
    assert ends[1.0] == CHANCE
    assert sorted(asked) == [(1.0, 3), (100.0, 3)]


def test_what_is_plain_already_is_not_tried_for_longer() -> None:
    for ends in ({100.0: 1.5}, {}, {1.0: 2.2, 100.0: 2.18}):
        trials = explored(curve(ends, []), CHANCE, CHANCE)
        asked: list[tuple[float, int]] = []
        longer = curve({}, asked)
        assert prolonged(trials, lambda f, longer=longer: longer(f, 3), CHANCE, CHANCE) == trials
        assert asked == []


def test_chance_counts_class_weights() -> None:
    targets = torch.tensor([0] * 90 + [1] * 10)
    batches = (Batch(torch.zeros(100, 2), targets),)
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0]))
    assert chance_loss(batches) == pytest.approx(0.325, abs=1e-3)
    assert chance_loss(batches, weighted) == pytest.approx(math.log(2), abs=1e-3)
    assert float(weighted(torch.zeros(100, 2), targets)) == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize(
    ("criterion", "times"),
    [
        (lambda o, t: 1e-4 * nn.functional.cross_entropy(o, t), 1e-4),
        (lambda o, t: 1000 * nn.functional.cross_entropy(o, t), 1000),
        (nn.CrossEntropyLoss(label_smoothing=0.1), 1),
        (nn.CrossEntropyLoss(reduction="sum"), 1),
        (nn.CrossEntropyLoss(reduction="none"), 1),
        (nn.MSELoss(), 1),
    ],
)
def test_chance_counts_what_the_loss_is_multiplied_by(criterion: Any, times: float) -> None:
    batches = (Batch(torch.zeros(100, 2), torch.arange(100) % 10),)
    assert chance_loss(batches, criterion) == pytest.approx(times * math.log(10), rel=1e-3)


def test_no_further_rate_is_tried_when_it_is_late() -> None:
    tried: list[tuple[float, int]] = []

    def trial(factor: float, times: int) -> Trial:
        tried.append((factor, times))
        return Trial(factor, factor, (2.3, 2.3, 2.3), False)

    explored(trial, 2.3, 2.3, lambda: True)
    assert tried == [(1.0, 1), (0.1, 1)]
