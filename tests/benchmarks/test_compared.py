"""What thresholds are compared with is kept in the threshold's own unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainingdoctor import diagnose
from trainingdoctor.settings import Settings


@pytest.mark.parametrize(
    ("compare", "value", "kept"),
    [
        (lambda x, t: x > t, 3, 3.0),
        (lambda x, t: x <= t, 3.5, 3.5),
        (lambda x, t: x > t, np.float64(2.5), 2.5),
        (lambda x, t: t >= x, 7, 7.0),
        (lambda x, t: x > 3 * t, 6.0, 2.0),
        (lambda x, t: x > t / 4, 6.0, 24.0),
        (lambda x, t: x < 1 - t, 0.25, 0.75),
        (lambda x, t: x < 10 / t, 5, 2.0),
        (lambda x, t: x < t + 1.5, 5, 3.5),
        (lambda x, t: x < t - 1.5, 5, 6.5),
    ],
)
def test_every_comparison_is_kept(compare: Callable[[Any, Any], bool], value: float, kept: float) -> None:
    from compared import Watched

    seen: list[float] = []
    threshold = Watched(2, seen)
    assert bool(compare(value, threshold)) == bool(compare(value, 2.0))
    assert seen == [kept]


def test_what_is_no_finite_number_is_not_kept() -> None:
    from compared import Watched

    seen: list[float] = []
    for value in (math.nan, math.inf, None):
        Watched(2, seen)._keep(value)
    assert seen == []


def test_a_diagnosis_compares_most_thresholds(training: Any) -> None:
    from compared import ends, watched

    thresholds, values = watched()
    report = diagnose(training(), settings=Settings(quick=True, thresholds=thresholds))
    found = ends(values)
    assert [r.code for r in report.results if r.outcome == "crashed"] == []
    assert found["optimizer.betas.most"] == pytest.approx([0.9, 0.9])
    assert found["batchnorm.small_batch.hint"] == [32, 32]
    assert len(found) > 20


def test_the_end_that_decides_is_told_from_the_trainings() -> None:
    """batchnorm.small_batch.least is 8: sick lies below, and a healthy training has layers on both sides of nothing."""
    from compared import distribution

    rows = [
        {"right": [], "compared": {"batchnorm.small_batch.least": [32, 64], "optimizer.betas.most": [0.0, 0.9]}},
        {"right": [["batchnorm.small_batch"]], "compared": {"batchnorm.small_batch.least": [2, 64]}},
        {"right": [["optimizer.betas"]], "compared": {"optimizer.betas.most": [0.0, 0.999]}},
    ]
    assert distribution(rows) == [
        ("batchnorm.small_batch.least", 8, [32], [2]),
        ("optimizer.betas.most", 0.99, [0.9], [0.999]),
    ]
