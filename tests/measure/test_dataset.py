"""What is known of a data set: by its class or its base's, and how much of it is drawn."""

from typing import Any

import torch
from torch.utils.data import DataLoader, Subset, SubsetRandomSampler, TensorDataset, WeightedRandomSampler
from torchvision.datasets import CIFAR10, CIFAR100, ImageFolder

from trainingdoctor.measure.dataset import dataset_facts

SAMPLES = TensorDataset(torch.zeros(100, 2), torch.zeros(100))


class Mine(CIFAR10):
    def __init__(self) -> None:
        """Nothing is read."""

    def __len__(self) -> int:
        return 50_000


class Hundred(CIFAR100, Mine):
    pass


class Folder(ImageFolder):
    __init__ = Mine.__init__  # type: ignore[assignment]
    __len__ = Mine.__len__


def test_a_class_of_ones_own_is_known_by_its_base() -> None:
    names = [dataset_facts(DataLoader(made())).name for made in (Mine, Hundred, Folder)]
    assert names == ["CIFAR10", "CIFAR100", "Folder"]


def test_what_a_sampler_lists_is_what_is_drawn_from() -> None:
    def size(data: Any, sampler: Any = None) -> int | None:
        return dataset_facts(DataLoader(data, sampler=sampler)).size

    assert size(SAMPLES) == 100
    assert size(SAMPLES, SubsetRandomSampler(range(20))) == 20
    assert size(Subset(SAMPLES, range(30))) == 30
    assert size(SAMPLES, WeightedRandomSampler([1.0] * 100, 10)) == 100


class Cut(Mine):
    """So many samples of each of ten classes."""

    def __init__(self, *sizes: int) -> None:
        self.targets = [c for c, size in enumerate(sizes) for _ in range(size)]


def test_a_known_set_that_is_cut_class_by_class_is_told_from_a_part_of_it() -> None:
    tails = [dataset_facts(DataLoader(Cut(*sizes))).long_tailed for sizes in ((500, 300, 90), (500, 490, 510))]
    assert tails == [True, False]
    assert not dataset_facts(DataLoader(Mine())).long_tailed


def test_targets_of_several_numbers_are_not_counted() -> None:
    cut = Cut(5, 3)
    cut.targets = torch.eye(2)  # type: ignore[assignment]
    assert not dataset_facts(DataLoader(cut)).long_tailed
