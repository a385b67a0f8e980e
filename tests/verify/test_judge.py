"""Differences paired by seed, and when they mean something."""

import math

import pytest

from trainingdoctor.verify.judge import Judgement, Sample, difference, interval


def sample(*values: float | None) -> Sample:
    return Sample("x", dict(enumerate(values)))


def test_a_difference_that_all_seeds_share_is_an_improvement_however_far_the_seeds_are_apart() -> None:
    found = difference(sample(60.0, 70.0, 80.0), sample(63.0, 73.2, 82.8))
    assert found.judgement is Judgement.IMPROVED
    assert found.points == pytest.approx(3.0)
    assert found.low is not None
    assert found.low > 0


def test_the_interval_is_students() -> None:
    found = difference(sample(60.0, 60.0, 60.0), sample(61.0, 62.0, 63.0))
    half = 4.303 * 1.0 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))
    assert found.judgement is Judgement.NO_DIFFERENCE


def test_worse_is_said() -> None:
    assert difference(sample(63.0, 73.2, 82.8), sample(60.0, 70.0, 80.0)).judgement is Judgement.WORSE


def test_one_seed_tells_nothing() -> None:
    found = difference(sample(10.0), sample(90.0))
    assert found.judgement is Judgement.UNTOLD
    assert found.points == 80.0


def test_seeds_that_only_one_of_them_has_do_not_count() -> None:
    assert difference(sample(60.0, 61.0, 62.0), sample(70.0, 71.0)).seeds == 2


def test_a_training_that_raises_is_the_worse_one() -> None:
    assert difference(sample(None, None), sample(10.0, 10.0)).judgement is Judgement.IMPROVED
    assert difference(sample(90.0, 90.0), sample(91.0, None)).judgement is Judgement.WORSE
    assert difference(sample(None, None), sample(None, None)).judgement is Judgement.UNTOLD


def test_an_interval_needs_two() -> None:
    assert interval([1.0]) is None
    low, high = interval([1.0, 3.0]) or (0.0, 0.0)
    assert (low, high) == pytest.approx((2 - 12.71, 2 + 12.71))
