"""Training transforms applied one by one."""

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms as T

from trainingdoctor import Unavailable
from trainingdoctor.measure.transform_steps import Step, flattened, shown, transform_steps

NORMALIZE = T.Normalize((0.5,) * 3, (0.2,) * 3)


def steps(waves: Any, *transforms: Any) -> dict[str, Step]:
    return {s.name: s for s in transform_steps(DataLoader(waves(40, T.Compose(list(transforms)))))}


def test_effective_steps_change_and_nothing_clips(waves: Any) -> None:
    found = steps(
        waves,
        T.RandomCrop(16, padding=4),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        NORMALIZE,
        T.RandomErasing(inplace=True),
    )
    assert list(found) == ["RandomCrop", "RandomHorizontalFlip", "ToTensor", "Normalize", "RandomErasing"]
    assert found["RandomCrop"].applications == 200
    assert all(s.changed > 0.2 for s in found.values())
    assert all(s.clips == 0 for s in found.values())
    assert [s.random for s in found.values()] == [True, True, False, False, True]


def test_steps_without_effect(waves: Any) -> None:
    found = steps(waves, T.RandomCrop(16), T.RandomHorizontalFlip(0), T.ToTensor(), T.RandomErasing(0))
    assert [s.changed for s in found.values() if s.random] == [0, 0, 0]
    assert found["RandomHorizontalFlip"].probability == 0


def test_jitter_after_normalization_clips_and_before_does_not(waves: Any) -> None:
    jitter = T.ColorJitter(0.4, 0.4)
    assert steps(waves, T.ToTensor(), NORMALIZE, jitter)["ColorJitter"].clips > 0.5
    assert steps(waves, jitter, T.ToTensor(), NORMALIZE)["ColorJitter"].clips == 0


def test_composes_are_opened_and_choices_are_not() -> None:
    choice = T.RandomApply([T.RandomHorizontalFlip(), T.RandomVerticalFlip()])
    chain = T.Compose([T.Compose([T.ToTensor()]), torch.nn.Sequential(NORMALIZE), choice])
    assert [type(s).__name__ for s in flattened(chain)] == ["ToTensor", "Normalize", "RandomApply"]


def test_without_transforms_there_is_nothing_to_see() -> None:
    with pytest.raises(Unavailable):
        transform_steps(DataLoader(TensorDataset(torch.rand(8, 3, 8, 8))))


def test_a_step_that_raises_is_no_crash(waves: Any) -> None:
    def picky(image: Any) -> Any:
        raise ValueError("not like this")

    with pytest.raises(Unavailable, match="one by one"):
        steps(waves, T.ToTensor(), picky)


def test_a_step_of_ones_own_is_shown_without_its_address() -> None:
    class Erasing:
        def __call__(self, image: Any) -> Any:
            return image

    assert shown(Erasing()).endswith("Erasing>")
    assert "0x" not in shown(Erasing())
    assert shown(T.RandomCrop(32, padding=4)).startswith("RandomCrop(size=(32, 32)")
