"""Copies within the training set, and between training and evaluation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, SubsetRandomSampler, TensorDataset
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

from trainingdoctor import Unavailable
from trainingdoctor.measure.indices import evaluation_order, indices_of
from trainingdoctor.measure.keys import reader_of
from trainingdoctor.measure.overlap import Leakage, Repeats, leakage, repeats, train_keys

CROP = T.Compose([T.RandomCrop(16, padding=2), T.ToTensor()])


def loader(data: Any, **options: Any) -> Any:
    return DataLoader(data, batch_size=64, **options)


def copies(data: Any, **options: Any) -> Repeats:
    train = loader(data, **options)
    return repeats(train, train_keys(train))


def leaks(train: Any, evaluation: Any) -> Leakage:
    return leakage(train, evaluation, train_keys(train))


class Renumbered(Dataset):
    """A wrapper that gives other samples than the one it holds."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, i: int) -> Any:
        return self.inner[i % 50]


class Same(Renumbered):
    def __getitem__(self, i: int) -> Any:
        return self.inner[i]


def test_different_samples_are_no_copies(waves: Any) -> None:
    r = copies(waves(200, CROP))
    assert (r.read, r.distinct, r.share, r.conflicting) == (200, 200, 0.0, 0.0)


def test_repetition_is_counted_and_even_repetition_noticed(waves: Any) -> None:
    data = waves(200, CROP)
    r = copies(Subset(data, [*range(100)] * 2 + [*range(100, 200)]))
    assert (r.distinct, r.even) == (200, False)
    assert r.share == pytest.approx(1 / 3)
    assert copies(ConcatDataset([data, data])).even


def test_copies_of_rare_classes_do_not_count(waves: Any) -> None:
    data = waves(400, CROP)
    rows = [i for i in range(400) if data.targets[i]] + [0, 4] * 50
    assert copies(Subset(data, rows)).share == 0.0


def test_copies_under_another_label(waves: Any) -> None:
    data = waves(200, CROP)
    data.data = np.concatenate([data.data, data.data[:50]])
    data.targets = data.targets + [(t + 1) % 4 for t in data.targets[:50]]
    assert copies(data).conflicting == pytest.approx(100 / 250)


def test_a_wrapper_is_looked_through_unless_it_does_more(waves: Any) -> None:
    data = waves(200, CROP)
    assert reader_of(Same(data)) is not None
    assert reader_of(Renumbered(data)) is None
    assert copies(Renumbered(data)).distinct == 50


def test_the_sampler_decides_what_belongs_to_the_set(waves: Any) -> None:
    data, plain = waves(300, CROP), waves(300, T.ToTensor())
    train = loader(data, sampler=SubsetRandomSampler(range(200)))
    assert leaks(train, loader(plain, sampler=SubsetRandomSampler(range(200, 300)))).shared == 0.0
    assert leaks(train, loader(plain, sampler=SubsetRandomSampler(range(150, 250)))).shared == pytest.approx(0.5)
    drawn = SubsetRandomSampler(torch.arange(200, 300))  # type: ignore[arg-type]
    assert leaks(train, loader(plain, sampler=drawn)).shared == 0.0


def test_leakage_between_sets_that_share_no_object(waves: Any) -> None:
    train, test = waves(300, CROP), waves(100, T.ToTensor(), seed=1)
    assert leaks(loader(train), loader(test)).shared == 0.0
    train.data = np.concatenate([train.data, test.data[:30]])
    train.targets = train.targets + test.targets[:30]
    found = leaks(loader(train), loader(test))
    assert found.shared == pytest.approx(0.3)
    assert not found.same_rows


def test_leakage_by_index_needs_no_content() -> None:
    table = TensorDataset(torch.randint(0, 2, (300, 4)), torch.zeros(300, dtype=torch.long))
    found = leakage(loader(Subset(table, range(200))), loader(Subset(table, range(150, 250))), None)
    assert found == Leakage(0.5, True, 100, 1.0)
    with pytest.raises(Unavailable):
        leakage(loader(Subset(table, range(200))), loader(Subset(table, range(200, 300))), None)
    with pytest.raises(Unavailable, match="too small"):
        train_keys(loader(table))


def test_blank_images_are_no_copies() -> None:
    blank = TensorDataset(torch.zeros(200, 3, 16, 16), torch.zeros(200, dtype=torch.long))
    with pytest.raises(Unavailable, match="content"):
        copies(blank)


def test_files_are_compared_by_content(tmp_path: Path, waves: Any) -> None:
    images = waves(160).data
    for name, rows in (("train", range(100)), ("val", range(80, 160))):
        for i in rows:
            folder = tmp_path / name / f"class{i % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[i]).save(folder / f"{name}{i}.png")
    train, evaluation = (ImageFolder(str(tmp_path / n), T.ToTensor()) for n in ("train", "val"))
    reader = reader_of(train)
    assert reader is not None
    assert reader.kind == "file"
    assert leaks(loader(train), loader(evaluation)).shared == pytest.approx(20 / 80)


def test_order_of_the_evaluation(waves: Any) -> None:
    assert not evaluation_order(loader(waves(100))).shuffled
    assert evaluation_order(loader(waves(100), shuffle=True)).shuffled
    with pytest.raises(Unavailable):
        evaluation_order([torch.zeros(3)])


def test_indices_of_a_loader_without_batches_are_all(waves: Any) -> None:
    assert indices_of(DataLoader(waves(12), batch_size=None)) == list(range(12))


def test_two_data_sets_over_one_tensor_share_its_rows_however_small_they_are() -> None:
    x, y = torch.randn(200, 6), torch.zeros(200)
    whole, first, rest = TensorDataset(x, y), TensorDataset(x[:50], y[:50]), TensorDataset(x[50:], y[50:])
    assert leakage(loader(whole), loader(TensorDataset(x, y)), None) == Leakage(1.0, True, 200, 1.0)
    assert leakage(loader(whole), loader(first), None).shared == 1.0
    with pytest.raises(Unavailable):
        leakage(loader(rest), loader(first), None)
