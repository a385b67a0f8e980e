"""Which loader of a watched loop is for what, and which of them draw from the same data."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset, Subset

from trainingdoctor.measure.dataset import innermost
from trainingdoctor.measure.schedule import steps_per_epoch
from trainingdoctor.observing.afterwards import UsedLater
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.seen import LoaderSeen

# Steps on one and the same batch, from which on a loader served to draw that.
OFTEN = 5


def loader_of(recorder: Recorder, kind: str) -> Any:
    """The loader with most batches of that kind; a batch alone where nothing else is trained on, many times over.

    Of those that evaluate, one of other data than is trained on, if there is one.
    """
    passes = [p for p in recorder.passes if p.kind == kind and p.batches]
    if kind == "evaluation":
        trained = loader_of(recorder, "training")
        others = [p for p in passes if not _is_same_data(p.loader, trained)]
        if not others and (later := later_loader(recorder)):
            return later.loader
        passes = others or passes
    if not passes:
        return None
    most = max(passes, key=lambda p: p.batches)
    return [most.raws[-1]] if most.batches == 1 and most.steps >= OFTEN else most.loader


def later_loader(recorder: Recorder) -> UsedLater | None:
    """The first loader of other data than is trained on that the script goes through behind its loop."""
    trained = loader_of(recorder, "training")
    return next((u for u in recorder.later if not _is_same_data(u.loader, trained)), None)


def described(loader: Any, known: list[Any]) -> LoaderSeen:
    """The record of a loader. known: keys of the data sets so far, to which this one's is added."""
    dataset = getattr(loader, "dataset", None)
    key = (_key(dataset), _indices(getattr(loader, "sampler", None)))
    if key not in known:
        known.append(key)
    inner = innermost(dataset)
    return LoaderSeen(known.index(key), _train_split(inner), steps_per_epoch(loader), type(inner).__name__)


def _key(dataset: Any) -> Any:
    """Equal for the same data set: a subset is known by its data set and its indices."""
    if isinstance(dataset, Subset):
        return (_key(dataset.dataset), hash(tuple(int(i) for i in dataset.indices)))
    return id(dataset)


def _is_same_data(one: Any, other: Any) -> bool:
    """Whether two loaders draw from one data set, and from no parts of it that their samplers tell apart."""
    if _key(getattr(one, "dataset", None)) != _key(getattr(other, "dataset", None)):
        return False
    parts = [_part(getattr(loader, "sampler", None)) for loader in (one, other)]
    return None in parts or parts[0] == parts[1]


def _part(sampler: Any) -> Any:
    """Equal for samplers of the same part: known by its indices, or, of one's own kind, by the numbers that it holds."""
    if (listed := _indices(sampler)) is not None or type(sampler).__module__.startswith("torch."):
        return listed
    return tuple(sorted((n, v) for n, v in getattr(sampler, "__dict__", {}).items() if type(v) is int)) or None


def _indices(sampler: Any) -> int | None:
    """A hash of what a SubsetRandomSampler or the like draws from; None for samplers of the whole data set."""
    indices = getattr(sampler, "indices", None)
    try:
        return None if indices is None else hash(tuple(sorted(int(i) for i in indices)))
    except TypeError:
        return None


def _train_split(dataset: Dataset[Any] | Any) -> bool | None:
    """What the data set says of itself: torchvision's `train` or `split`."""
    train = getattr(dataset, "train", None)
    if isinstance(train, bool):
        return train
    split = str(getattr(dataset, "split", getattr(dataset, "_split", "")) or "").lower()
    return (
        True if split in ("train", "training") else False if split in ("test", "val", "valid", "validation") else None
    )
