"""The order of the training samples."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, Sampler, SequentialSampler, TensorDataset

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.order import sample_order

DATA = TensorDataset(torch.randn(64, 3), torch.arange(64) % 4)


class Told(Sampler[int]):
    """In the data set's own order until the loop tells it a seed."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(64))

    def __len__(self) -> int:
        return 64


@pytest.mark.parametrize(("sampler", "steps", "judged"), [(Told(), 0, False), (Told(), 9, True), (None, 0, True)])
def test_a_sampler_that_the_loop_may_tell_the_order_is_not_judged_before_it(
    sampler: Sampler[int] | None, steps: int, judged: bool
) -> None:
    loader = DataLoader(DATA, 8, sampler=sampler or SequentialSampler(DATA))
    batches = (Batch(*DATA[:8]),)
    trace = SimpleNamespace(steps=(object(),) * steps)
    if judged:
        assert sample_order(loader, batches, trace).sequential
        assert sample_order(loader, batches).sequential
        return
    with pytest.raises(Unavailable, match="was not reached"):
        sample_order(loader, batches, trace)
