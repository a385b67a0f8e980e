"""The targets: what form they have, which classes there are, and how many samples of each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch

# Attributes in which torchvision's data sets and their imitators keep all targets.
ATTRIBUTES = ("targets", "labels", "y", "train_labels", "_labels")
# What torch's functions leave out unless told otherwise.
DEFAULTS = {"cross_entropy": -100, "nll_loss": -100}


@dataclass(frozen=True)
class Numbers:
    """Real numbers as targets. low, high: what 2.5 % are below and above."""

    mean: float
    std: float
    minimum: float
    maximum: float
    low: float
    high: float


@dataclass(frozen=True)
class Targets:
    """Targets of the drawn batches. kind: indices (class numbers), soft (rows that sum to 1), or dense (other numbers).

    width: size of dimension 1 of soft or dense targets.  counts: of class indices, over the whole data set where
    `complete`, else over the drawn batches.  Targets equal to ignore_index are not counted.  numbers: of dense targets.
    ignored: how many there are of those, None where the criterion has no class index to ignore.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    width: int | None
    minimum: int | None
    maximum: int | None
    counts: dict[int, int]
    complete: bool
    numbers: Numbers | None = None
    ignored: int | None = None


@evidence(cost="probe", optional=("criterion", "train_loader"))
def targets(train_batches: tuple[Batch, ...], criterion: Any, train_loader: Any) -> Targets:
    """Read the targets of the drawn batches, and of the whole data set where it lists them."""
    drawn = [b.targets for b in train_batches if isinstance(b.targets, Tensor)]
    if not drawn:
        raise Unavailable("the batches hold no target tensor")
    first = drawn[0]
    kind = _kind(first)
    listed = listed_targets(getattr(train_loader, "dataset", None)) if kind in ("indices", "soft") else None
    ignore = getattr(criterion, "ignore_index", DEFAULTS.get(getattr(criterion, "__name__", "")))
    flat = (
        listed if listed is not None else [v for t in drawn for v in t.flatten().tolist()] if kind == "indices" else []
    )
    counts = Counter(int(v) for v in flat if int(v) != ignore)
    return Targets(
        kind=kind,
        shape=tuple(first.shape),
        dtype=str(first.dtype).removeprefix("torch."),
        width=first.shape[1] if first.ndim >= 2 else None,
        minimum=min(counts, default=None),
        maximum=max(counts, default=None),
        counts=dict(sorted(counts.items())),
        complete=listed is not None,
        ignored=sum(int(v) == ignore for v in flat) if isinstance(ignore, int) and ignore >= 0 else None,
        numbers=_numbers(drawn) if kind == "dense" and first.is_floating_point() else None,
    )


def _numbers(drawn: list[Tensor]) -> Numbers | None:
    values = torch.cat([t.flatten() for t in drawn]).double()
    if not len(values) or not bool(values.isfinite().all()):
        return None
    # quantile() takes no more than 16 million.
    some = values[:: 1 + len(values) // 100_000]
    low, high = some.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Numbers(
        float(values.mean()), float(values.std(correction=0)), float(values.min()), float(values.max()), low, high
    )


def _kind(value: Tensor) -> str:
    if not value.is_floating_point() and value.dtype is not torch.bool and value.ndim != 2:
        return "indices"
    rows = value.ndim == 2 and value.shape[1] >= 2 and bool((value >= 0).all())
    if rows and bool(((value.float().sum(1) - 1).abs() < 1e-3).all()):
        return "soft"
    return "dense"


def listed_targets(dataset: Any) -> list[int] | None:
    """All class indices of a data set that lists them, through Subset and ConcatDataset; None where it does not."""
    if isinstance(dataset, Subset):
        inner = listed_targets(dataset.dataset)
        return None if inner is None else [inner[i] for i in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [listed_targets(d) for d in dataset.datasets]
        return None if any(p is None for p in parts) else [v for p in parts for v in p or ()]
    values = next((v for a in ATTRIBUTES if (v := getattr(dataset, a, None)) is not None), None)
    if values is None and hasattr(dataset, "tensors"):
        values = dataset.tensors[-1]
    numbers = _integers(values)
    return (
        numbers if numbers is not None and isinstance(dataset, Dataset) and len(numbers) == _length(dataset) else None
    )


def _integers(values: Any) -> list[int] | None:
    if isinstance(values, Tensor) or hasattr(values, "dtype"):
        return [int(v) for v in values.tolist()] if values.ndim == 1 and "int" in str(values.dtype) else None
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        numbers = list(values)
        return numbers if numbers and all(isinstance(v, int) for v in numbers[:100]) else None
    return None


def _length(dataset: Any) -> int:
    return len(dataset) if hasattr(type(dataset), "__len__") else -1
