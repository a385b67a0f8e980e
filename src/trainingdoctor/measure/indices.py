"""Which samples of its data set a loader gives, and in which order."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import IterableDataset, Subset

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.plain import indexable

# Listing the indices of more takes minutes.
MOST = 50_000_000


@dataclass(frozen=True)
class EvaluationOrder:
    """shuffled: two passes over the evaluation loader begin with different samples."""

    shuffled: bool


@evidence(cost="probe")
def evaluation_order(val_loader: Any, *, samples: int = 512) -> EvaluationOrder:
    """Read the sampler's order twice, without loading samples."""
    first, second = drawn_indices(val_loader, samples), drawn_indices(val_loader, samples)
    if first is None or second is None:
        raise Unavailable("the order of val_loader cannot be read without loading")
    return EvaluationOrder(first != second)


@dataclass(frozen=True)
class Drawn:
    """One pass over the training sampler: draws, different samples among them, and the data set's size."""

    draws: int
    different: int
    size: int


@evidence(cost="probe")
def drawn(train_loader: Any, *, most: int = 2_000_000) -> Drawn:
    """Read the sampler, without loading samples."""
    size = length(indexable(train_loader)) or 0
    if not 0 < size <= most:
        raise Unavailable("the training sampler cannot be read through")
    found = drawn_indices(train_loader, size)
    if found is None:
        raise Unavailable("the order of train_loader cannot be read without loading")
    return Drawn(len(found), len(set(found)), size)


def drawn_indices(loader: Any, count: int) -> list[int] | None:
    """The first `count` indices of a pass over `loader`; None where its samplers give none."""
    sampler = getattr(loader, "batch_sampler", None)
    if sampler is None or isinstance(getattr(loader, "dataset", None), IterableDataset):
        return None
    found: list[int] = []
    with user_code("the sampler"):
        for batch in islice(sampler, count):
            found += [int(i) for i in batch if _is_index(i)]
            if len(found) >= count:
                break
    return found[:count] or None


def _is_index(value: Any) -> bool:
    """A SubsetRandomSampler gives whatever it holds: of a tensor's, tensors."""
    return isinstance(value, int | np.integer) or (isinstance(value, Tensor) and value.ndim == 0)


def indices_of(loader: Any) -> list[int]:
    """The different indices that a pass over `loader` gives, in order; all of them where the samplers tell none.

    Raises Unavailable for loaders without an indexable data set.
    """
    size = length(indexable(loader)) or 0
    if size > MOST:
        raise Unavailable(f"{size:,} samples: more than the {MOST:,} that are listed")
    drawn = drawn_indices(loader, 2 * size)
    return sorted({i for i in drawn if 0 <= i < size}) if drawn else list(range(size))


def rows(dataset: Any, indices: list[int]) -> tuple[Any, list[int]]:
    """The data set under all Subsets, and the indices there."""
    while isinstance(dataset, Subset):
        indices = [int(dataset.indices[i]) for i in indices]
        dataset = dataset.dataset
    return dataset, indices
