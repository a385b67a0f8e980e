"""Evaluation sets that draw other samples each time are not augmented ones."""

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trainingdoctor import Unavailable
from trainingdoctor.measure.augmentation import evaluation_pairs


class Drawn(Dataset[tuple[Tensor, ...]]):
    """Images drawn at random: two of one class or not, or one with its class."""

    def __init__(self, images: int, redrawn: bool) -> None:
        self.images, self.redrawn = images, redrawn

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        label = torch.randint(2, ()) if self.redrawn else torch.tensor(index % 2)
        return (*(torch.rand(1, 8, 8) for _ in range(self.images)), label)


@pytest.mark.parametrize(("images", "redrawn"), [(2, False), (1, True)])
def test_samples_that_are_drawn_at_random_are_another_matter(images: int, redrawn: bool) -> None:
    with pytest.raises(Unavailable, match="draws pairs, or other samples"):
        evaluation_pairs(DataLoader(Drawn(images, redrawn), 8))


def test_one_image_that_varies_is_augmented() -> None:
    assert evaluation_pairs(DataLoader(Drawn(1, False), 8)).varies


class Points(Dataset[Tensor]):
    """Points in the plane with noise around them, or drawn anew each time."""

    def __init__(self, noise: float) -> None:
        self.noise, self.points = noise, torch.randn(64, 2) * (noise < 1)

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> Tensor:
        return self.points[index] + self.noise * torch.randn(2)


def test_points_that_are_drawn_anew_are_no_views_of_the_same() -> None:
    torch.manual_seed(0)
    assert evaluation_pairs(DataLoader(Points(0.1), 8)).varies
    with pytest.raises(Unavailable, match="draws pairs, or other samples"):
        evaluation_pairs(DataLoader(Points(1), 8))
