"""Batches drawn from the user's loaders, which stay as they were."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, SequentialSampler, Subset

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, augmented, split_batch, tensors
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.iterating import iterated


def is_one_shot(loader: Iterable[Any]) -> bool:
    """Whether `loader` is its own iterator, so that looking at it would use it up."""
    return isinstance(loader, Iterator)


def draw_batches(loader: Iterable[Any], name: str, count: int, samples: int) -> tuple[Batch, ...]:
    """Up to `count` batches, fewer once they hold `samples` samples. Leaves no worker processes behind."""
    if is_one_shot(loader):
        raise Unavailable(f"{name} is its own iterator, and looking would use it up: give the DataLoader itself")
    batches: list[Batch] = []
    with user_code(f"iterating {name}"), iterated(loader) as iterator:
        for raw in islice(iterator, count):
            batch = split_batch(raw)
            require_numbers(batch, name)
            if batch.size or not any(True for _ in tensors(batch.inputs)):
                batches.append(batch)
            if sum(batch.size for batch in batches) >= samples:
                break
    if not batches:
        raise UserCodeError(f"iterating {name}", said=f"{name} is empty: it gives no batch{_why_empty(loader)}")
    return tuple(batches)


def require_numbers(batch: Batch, name: str) -> None:
    """Raise UserCodeError for a batch of tensors on the meta device."""
    if any(t.is_meta for t in tensors([batch.inputs, batch.targets])):
        said = f"{name} gives tensors on the meta device, which hold no numbers"
        raise UserCodeError(f"iterating {name}", said=said)


def _why_empty(loader: Iterable[Any]) -> str:
    samples = getattr(loader, "dataset", ())
    if not getattr(loader, "drop_last", False) or not hasattr(type(samples), "__len__"):
        return ""
    size = getattr(loader, "batch_size", None)
    return f", because {len(samples)} samples make no whole batch of {size} and drop_last=True"


@evidence(cost="probe", optional=("augment_on_device",))
def train_batches(
    train_loader: Iterable[Any], augment_on_device: Callable[..., Any] | None, *, count: int = 32, samples: int = 512
) -> tuple[Batch, ...]:
    """Batches as the model sees them in training: drawn from train_loader and augmented on the device."""
    batches = draw_batches(train_loader, "train_loader", count, samples)
    return tuple(augmented(batch, augment_on_device) for batch in batches)


@evidence(cost="probe")
def val_batches(val_loader: Iterable[Any], *, count: int = 32, samples: int = 512) -> tuple[Batch, ...]:
    """Batches of the evaluation loader, from all over its data set."""
    return draw_batches(spread(val_loader, samples), "val_loader", count, samples)


def spread(loader: Iterable[Any], samples: int) -> Iterable[Any]:
    """A loader of `samples` samples from all over the data set of one that goes through it in order.

    The first batches of an ImageFolder hold a single class. Other loaders, and small ones, come back as they are.
    """
    dataset: Any = getattr(loader, "dataset", None)
    if type(loader) is not DataLoader or not isinstance(loader.sampler, SequentialSampler) or loader.batch_size is None:
        return loader
    if not hasattr(type(dataset), "__len__") or len(dataset) <= 2 * samples:
        return loader
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(0))
    indices = torch.linspace(0, len(dataset) - 1, samples, dtype=torch.float64).long()[order]
    return DataLoader(
        Subset(dataset, indices.tolist()),
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
        worker_init_fn=loader.worker_init_fn,
        timeout=loader.timeout,
        multiprocessing_context=loader.multiprocessing_context,
    )
