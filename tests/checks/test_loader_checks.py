"""Batches so large that nothing is left of the run."""

from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.run_length import RunLength
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import loader

FRESH, TRAINED = Pretraining(20, 0), Pretraining(20, 20)


def test_the_whole_set_as_one_batch_makes_too_few_steps() -> None:
    assert_unwell(loader.batch_size_huge, RunLength(50, 1, 50_000), FRESH, severity="warning", mentions="50 steps")


def test_short_fine_tuning_small_sets_and_tuned_recipes_are_healthy() -> None:
    assert_healthy(loader.batch_size_huge, RunLength(3, 20, 50_000), TRAINED)
    assert_healthy(loader.batch_size_huge, RunLength(100, 1, 150), FRESH)
    assert_healthy(loader.batch_size_huge, RunLength(10, 49, 50_000), FRESH)
    assert_healthy(loader.batch_size_huge, RunLength(1, 100, 6_000), FRESH)
    assert_healthy(loader.batch_size_huge, RunLength(None, 1, 50_000), FRESH)
