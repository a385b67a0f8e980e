"""Reading samples without their augmentation."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torchvision import transforms as T

from trainingdoctor import Unavailable
from trainingdoctor.measure.plain import as_tensor, class_of, indexable, input_transforms, plain, sample


def test_plain_leaves_out_input_transforms_and_puts_them_back(waves: Any) -> None:
    data = waves(20, T.Compose([T.RandomCrop(16, padding=4), T.ToTensor()]))
    before = data.transform
    with plain(Subset(data, [3])) as stand_in:
        first, second = (sample(data, 3)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first, torch.from_numpy(data.data[3]).permute(2, 0, 1) / 255)
    assert stand_in is not None
    assert isinstance(stand_in.last, Image.Image)
    assert data.transform is before


def test_plain_puts_transforms_back_after_an_exception(waves: Any) -> None:
    data = waves(20, T.ToTensor())
    before = data.transform
    with pytest.raises(RuntimeError), plain(data):
        raise RuntimeError
    assert data.transform is before


class ByHand(Dataset):
    """Augments in __getitem__ when its flag says so, and keeps a target transform."""

    def __init__(self) -> None:
        self.augment = True
        self.target_transform = lambda y: y + 1

    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> Any:
        image = np.full((8, 8, 3), i, np.uint8)
        return (image + np.random.randint(1, 9) if self.augment else image), self.target_transform(i)


def test_flags_are_off_and_target_transforms_stay() -> None:
    data = ByHand()
    with plain(data) as stand_in:
        image, target = sample(data, 4)
    assert stand_in is None
    assert (image * 255).unique().tolist() == pytest.approx([4.0])
    assert target == 5
    assert data.augment is True


class Keywords(Dataset):
    """Calls its transform as albumentations is called."""

    def __init__(self) -> None:
        self.transform = lambda image: {"image": torch.rand(3, 8, 8)}

    def __len__(self) -> int:
        return 3

    def __getitem__(self, i: int) -> Any:
        return self.transform(image=np.full((8, 8, 3), 51, np.uint8))["image"], i


def test_the_stand_in_takes_keywords() -> None:
    data = Keywords()
    with plain(data):
        image, _ = sample(data, 0)
    assert image.shape == (3, 8, 8)
    assert image.unique().tolist() == pytest.approx([0.2])


def test_input_transforms_finds_each_once(waves: Any) -> None:
    transform = T.ToTensor()
    data = waves(8, transform)
    data.transforms = transform
    assert input_transforms(data) == [transform]


class Raising(Dataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, i: int) -> Any:
        raise KeyError(i)


class Pair(Raising):
    def __getitem__(self, i: int) -> Any:
        return torch.rand(3, 8, 8), torch.rand(5), 1


@pytest.mark.parametrize("data", [Raising(), Pair()])
def test_samples_that_cannot_be_read_plainly_are_unavailable(data: Any) -> None:
    with pytest.raises(Unavailable):
        sample(data, 0)


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        yield torch.zeros(3), 0


@pytest.mark.parametrize("loader", [DataLoader(Stream()), [torch.zeros(2)], None])
def test_only_indexable_data_sets(loader: Any) -> None:
    with pytest.raises(Unavailable):
        indexable(loader)
    assert indexable(DataLoader(TensorDataset(torch.zeros(2, 3)))) is not None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (3, 3),
        (np.int64(3), 3),
        (torch.tensor(3), 3),
        (torch.tensor([3]), 3),
        (torch.tensor([0.1, 0.9]), 1),
        (torch.tensor(0.5), None),
        (torch.tensor([1.0, 2.0]), None),
        (torch.zeros(4, 4), None),
        (True, None),
        ("cat", None),
        (None, None),
    ],
)
def test_class_of(target: Any, expected: int | None) -> None:
    assert class_of(target) == expected


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (Image.new("RGB", (6, 8)), (3, 8, 6)),
        (Image.new("L", (6, 8)), (1, 8, 6)),
        (Image.new("P", (6, 8)), (3, 8, 6)),
        (np.zeros((8, 6, 3), np.uint8), (3, 8, 6)),
        (np.zeros((3, 4, 6), np.float32), (3, 4, 6)),
        (np.zeros(7), (7,)),
    ],
)
def test_as_tensor(value: Any, shape: tuple[int, ...]) -> None:
    assert tuple(as_tensor(value).shape) == shape
