"""Batches so large, and samplers that show so little, that nothing is left of the run."""

import torch
from torch import nn
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from trainingdoctor.measure.indices import Drawn, drawn
from trainingdoctor.measure.layers import architecture
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.run_length import RunLength, run_length
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import loader
from trainingdoctor_checks.regularization import too_few

SMALL = architecture(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2)))
FRESH, TRAINED = Pretraining(20, 0), Pretraining(20, 20)


def test_the_whole_set_as_one_batch_makes_too_few_steps() -> None:
    assert_unwell(loader.batch_size_huge, RunLength(50, 1, 50_000), FRESH, severity="warning", mentions="50 steps")


def test_short_fine_tuning_small_sets_and_tuned_recipes_are_healthy() -> None:
    assert_healthy(loader.batch_size_huge, RunLength(3, 20, 50_000), TRAINED)
    assert_healthy(loader.batch_size_huge, RunLength(100, 1, 150), FRESH)
    assert_healthy(loader.batch_size_huge, RunLength(10, 49, 50_000), FRESH)
    assert_healthy(loader.batch_size_huge, RunLength(1, 100, 6_000), FRESH)
    assert_healthy(loader.batch_size_huge, RunLength(None, 1, 50_000), FRESH)


def drawn_by(sampler: Sampler[int] | None, size: int = 2_000) -> Drawn:
    """What one epoch shows of a data set of that size."""
    return drawn(DataLoader(TensorDataset(torch.zeros(size, 1)), 50, sampler=sampler))


def test_one_weight_for_each_class_shows_as_many_samples_as_there_are_classes() -> None:
    seen = drawn_by(WeightedRandomSampler(torch.ones(10), 2_000))
    assert seen == Drawn(2_000, 10, 2_000)
    assert_unwell(loader.few_samples, seen, severity="critical", mentions="10 different samples of 2,000")


def test_samplers_that_show_enough() -> None:
    rare = torch.ones(2_000)
    rare[:20] = 99.0
    for sampler in (None, WeightedRandomSampler(torch.ones(2_000), 2_000), WeightedRandomSampler(rare, 2_000)):
        assert_healthy(loader.few_samples, drawn_by(sampler))
    # Few draws of many samples, and few samples in all.
    assert_healthy(loader.few_samples, Drawn(100, 90, 50_000))
    assert_healthy(loader.few_samples, Drawn(500, 10, 500))


def test_epochs_that_show_a_part_of_the_data() -> None:
    data = TensorDataset(torch.zeros(2_000, 1))
    part = RandomSampler(data, replacement=True, num_samples=50)
    short = run_length(30, DataLoader(data, 50, sampler=part))
    assert short.passes == 0.75
    assert_unwell(too_few, short, SMALL, FRESH, severity="warning", mentions="0.75 passes")
    assert_healthy(too_few, run_length(60, DataLoader(data, 50, sampler=part)), SMALL, FRESH)
    assert_healthy(too_few, short, SMALL, TRAINED)
    # A part of the data that is always the same is a subset, and oversampling shows all of it.
    assert run_length(30, DataLoader(data, 50, sampler=SubsetRandomSampler(range(50)))).passes == 30
    more = WeightedRandomSampler(torch.ones(2_000), 8_000)
    assert run_length(30, DataLoader(data, 50, sampler=more)).passes == 30
