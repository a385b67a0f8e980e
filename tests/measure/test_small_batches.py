"""Cutting batches, and telling whether one of them is all there is."""

from collections.abc import Iterator

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from trainingdoctor import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.small_batches import is_whole, small_batches


class Stream(IterableDataset[int]):
    """Has no length."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(9))


def batch(count: int, start: float = 0.0) -> Batch:
    return Batch(torch.arange(start, start + count).unsqueeze(1), torch.zeros(count, dtype=torch.long))


def test_incomplete_pieces_are_left_out() -> None:
    assert [b.size for b in small_batches((batch(70), batch(20)))] == [32, 32, 20]


def test_batches_of_text_are_nothing_to_cut() -> None:
    with pytest.raises(Unavailable, match="no tensor"):
        small_batches((Batch("a line", "another"),))


def test_a_loader_of_one_batch_gives_the_whole_set() -> None:
    data = TensorDataset(torch.zeros(200, 1), torch.zeros(200))
    assert is_whole((batch(200),), DataLoader(data, batch_size=200))
    assert not is_whole((batch(128),), DataLoader(data, batch_size=128))
    assert not is_whole((batch(128),), DataLoader(Stream(), batch_size=128))


def test_a_loop_without_a_loader_that_gives_the_same_again_does_so() -> None:
    assert is_whole((batch(200), batch(200)), None)
    assert not is_whole((batch(200), batch(200, start=200.0)), None)
    assert not is_whole((batch(200), batch(100)), None)
    assert not is_whole((batch(200),), None)
