"""Which learning rates are tried, and for how long, on loss curves made by hand."""

import math
from collections.abc import Callable

import pytest

from trainingdoctor.measure.rate_search import Trial, explored, prolonged, shot

CHANCE = 2.3
LOW, HIGH = (2.3,) * 12, (3.0,) * 12


def curve(ends: dict[float, float], asked: list[tuple[float, int]]) -> Callable[[float, int, bool], Trial]:
    """Trials that end at the given losses, by factor (at chance for every other); writes down what was asked for."""

    def trial(factor: float, times: int, again: bool = False) -> Trial:
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
    ends = {t.factor: t.end for t in prolonged(trials, lambda f: longer(f, 3, True), CHANCE, CHANCE)}
    assert ends[100.0] == 1.5
    assert ends[1.0] == CHANCE
    assert sorted(asked) == [(1.0, 3), (100.0, 3)]


def test_what_is_plain_already_is_not_tried_for_longer() -> None:
    for ends in ({100.0: 1.5}, {}, {1.0: 2.2, 100.0: 2.18}):
        trials = explored(curve(ends, []), CHANCE, CHANCE)
        asked: list[tuple[float, int]] = []
        longer = curve({}, asked)
        assert prolonged(trials, lambda f, longer=longer: longer(f, 3, True), CHANCE, CHANCE) == trials
        assert asked == []


def test_no_further_rate_is_tried_when_it_is_late() -> None:
    tried: list[tuple[float, int]] = []

    def trial(factor: float, times: int, again: bool = False) -> Trial:
        tried.append((factor, times))
        return Trial(factor, factor, (2.3, 2.3, 2.3), False)

    explored(trial, 2.3, 2.3, lambda: True)
    assert tried == [(1.0, 1), (0.1, 1)]


def test_a_loss_that_shoots_up_but_not_far_is_tried_twice() -> None:
    tries = iter([(9.0, 40.0, *LOW), (9.0, 14.0, *LOW)])

    def trial(factor: float, times: int, again: bool) -> Trial:
        return Trial(factor, factor, next(tries) if factor == 1 else (9.0, 8.0, *HIGH), False)

    own = explored(trial, 9.0, CHANCE)[0]
    assert own.worst == pytest.approx(math.sqrt(40 * 14))
    assert shot(own, 9.0, CHANCE) == pytest.approx(5.2, abs=0.1)


@pytest.mark.parametrize("highest", [12.0, 70.0])
def test_a_plain_one_is_not(highest: float) -> None:
    asked: list[tuple[float, bool]] = []

    def trial(factor: float, times: int, again: bool) -> Trial:
        asked.append((factor, again))
        return Trial(factor, factor, (9.0, highest, *LOW) if factor == 1 else (9.0, 8.0, *HIGH), False)

    explored(trial, 9.0, CHANCE, lambda: len(asked) > 2)
    assert (1.0, True) not in asked


def test_what_a_loss_shoots_up_to_is_told_without_a_chance_level() -> None:
    assert shot(Trial(1.0, 0.1, (2.0, 8.0), False), 2.0, None) == 4.0
    assert shot(Trial(1.0, 0.1, (2.0, 8.0), True), 2.0, 2.3) == math.inf
