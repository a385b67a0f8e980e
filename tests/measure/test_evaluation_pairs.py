"""Evaluation sets that draw other samples each time are not augmented ones."""

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainingdoctor import Unavailable
from trainingdoctor.measure.augmentation import evaluation_pairs


class Pairs(Dataset[tuple[Tensor, Tensor, int]]):
    """Two images that are of one class or not, drawn at random."""

    def __init__(self, redrawn: bool) -> None:
        self.redrawn = redrawn

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        same = int(torch.randint(2, ())) if self.redrawn else index % 2
        return torch.rand(1, 8, 8), torch.rand(1, 8, 8), same


def test_pairs_that_are_drawn_at_random_are_another_matter() -> None:
    with pytest.raises(Unavailable, match="other samples"):
        evaluation_pairs(DataLoader(Pairs(True), 8))
    assert evaluation_pairs(DataLoader(Pairs(False), 8)).varies
