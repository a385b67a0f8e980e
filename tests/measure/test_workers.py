"""Worker processes and the generators that data sets own."""

from types import SimpleNamespace

import pytest

from trainingdoctor.measure.workers import WorkerDraws, _seeded
from trainingdoctor.testing import assert_unwell
from trainingdoctor_checks.augmentation import same_in_workers


class Composed:
    def set_random_seed(self, seed: int) -> None: ...


@pytest.mark.parametrize(
    ("dataset", "found"),
    [
        (SimpleNamespace(classes=[], transforms=Composed()), "transforms"),
        (SimpleNamespace(dataset=SimpleNamespace(aug=Composed())), "dataset.aug"),
        (SimpleNamespace(rng=3), ""),
        ([1, 2], ""),
    ],
)
def test_what_albumentations_offers_is_found(dataset: object, found: str) -> None:
    assert _seeded(dataset) == found


def test_the_remedy_seeds_what_draws() -> None:
    told = assert_unwell(same_in_workers, WorkerDraws(6, True, True, False, "transforms"))
    assert "dataset.transforms.set_random_seed(torch.initial_seed() % 2**32)" in told.remedy
    assert "dataset.rng =" in assert_unwell(same_in_workers, WorkerDraws(6, True, True, False)).remedy
