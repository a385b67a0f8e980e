"""Worker processes: do their random states differ, and from epoch to epoch?"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.batches import tensors
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.iterating import iterated


@dataclass(frozen=True)
class WorkerDraws:
    """The same sample drawn by two workers in two epochs. same_across: both workers drew the same sequence.

    same_epochs: the second epoch repeated the first.  seeded: the attribute of the data set that has a set_random_seed(), as
    Albumentations' transforms do.
    """

    draws: int
    varies: bool
    same_across: bool
    same_epochs: bool
    seeded: str = ""


@evidence(cost="probe")
def worker_draws(train_loader: Any, augmentation_pairs: AugmentationPairs, *, draws: int = 6) -> WorkerDraws:
    """Draw one sample repeatedly through two workers, as the user's loader starts them, in two epochs."""
    if not isinstance(train_loader, DataLoader) or not train_loader.num_workers:
        raise Unavailable("the loader uses no worker processes")
    if isinstance(train_loader.dataset, IterableDataset):
        raise Unavailable("an iterable data set shards itself: one sample cannot be drawn by two workers")
    if not augmentation_pairs.varies:
        raise Unavailable("the samples do not vary: there is nothing that workers could share")
    loader = _probe_loader(train_loader, draws)
    first, second = _epoch(loader), _epoch(loader)
    left, right = first[0::2], first[1::2]
    return WorkerDraws(
        draws=draws,
        varies=any(not torch.equal(first[0], d) for d in first[1:]),
        same_across=_equal(left, right),
        same_epochs=_equal(first, second),
        seeded=_seeded(train_loader.dataset),
    )


def _seeded(dataset: Any) -> str:
    """The first attribute with a set_random_seed(), of the data set or of the one within."""
    held = dict(getattr(dataset, "__dict__", {}))
    own = next((name for name, value in held.items() if callable(getattr(value, "set_random_seed", None))), "")
    if own or held.get("dataset") is None:
        return own
    within = _seeded(held["dataset"])
    return within and f"dataset.{within}"


def _probe_loader(loader: DataLoader[Any], draws: int) -> DataLoader[Any]:
    """The user's loader with two workers and one index repeated: batch i goes to worker i % 2."""
    return DataLoader(
        loader.dataset,
        batch_size=1,
        sampler=[0] * (2 * draws),
        num_workers=2,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        timeout=30,
    )


def _epoch(loader: DataLoader[Any]) -> list[torch.Tensor]:
    with user_code("the data set in a worker process"), iterated(loader) as batches:
        return [next(t for t in tensors(batch) if t.ndim >= 2).clone() for batch in batches]


def _equal(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
