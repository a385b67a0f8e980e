"""Evaluation samples are drawn from all over the data set."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.drawing import spread, val_batches


def by_class(count: int) -> TensorDataset:
    labels = torch.arange(count) * 4 // count
    return TensorDataset(torch.randn(count, 3, 8, 8), labels)


def test_a_data_set_sorted_by_class_gives_all_classes() -> None:
    batches = val_batches(DataLoader(by_class(4000), batch_size=128))
    assert sum(b.size for b in batches) == 512
    assert all(len(b.targets.unique()) == 4 for b in batches)


def test_small_and_shuffled_loaders_stay_as_they_are() -> None:
    small = DataLoader(by_class(600), batch_size=128)
    shuffled = DataLoader(by_class(4000), batch_size=128, shuffle=True)
    assert spread(small, 512) is small
    assert spread(shuffled, 512) is shuffled
    assert spread([1, 2], 1) == [1, 2]
