"""The data set behind a loader: its name, size and transforms, and samples drawn from it as the loader would."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, IterableDataset, Subset, default_collate

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, split_batch
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.drawing import require_numbers

# Where data sets keep what they apply to a sample.
TRANSFORMS = ("transform", "transforms", "target_transform", "augment", "augmentation", "aug", "preprocess")
# Names of random transforms in torchvision, albumentations and kornia begin or end like this.
RANDOM_NAMES = (
    "Random",
    "Rand",
    "ColorJitter",
    "AutoAugment",
    "TrivialAugment",
    "AugMix",
    "Erasing",
    "Cutout",
    "CoarseDropout",
)


# Of torchvision's data sets, those that can hold anything.
GENERAL = ("VisionDataset", "DatasetFolder", "ImageFolder", "FakeData")

# So many times the samples of the rarest class are a long tail; SVHN's has 3.
TAIL = 5


@dataclass(frozen=True)
class DatasetFacts:
    """name: class of the innermost data set, of its base in torchvision for one's own kind of a known set.  size: samples that the loader draws from.  transforms: their class names.

    long_tailed: one's own kind of a known set, in which some classes are far rarer than others: chosen by class.
    """

    name: str
    size: int | None
    full_size: int | None
    classes: tuple[str, ...]
    transforms: tuple[str, ...]
    random_transforms: tuple[str, ...]
    iterable: bool
    long_tailed: bool = False


def innermost(dataset: Any) -> Any:
    """The data set inside Subset, ConcatDataset and home-made wrappers with a `dataset` attribute."""
    seen = 0
    while seen < 10:
        seen += 1
        if isinstance(dataset, ConcatDataset):
            dataset = dataset.datasets[0]
        elif isinstance(dataset, Subset) or hasattr(dataset, "dataset"):
            dataset = dataset.dataset
        else:
            break
    return dataset


def length(dataset: Any) -> int | None:
    """len(dataset), or None where it has none."""
    if not hasattr(type(dataset), "__len__"):
        return None
    with user_code("len(dataset)"):
        return len(dataset)


def transform_names(dataset: Any) -> Iterator[str]:
    """Class names of the transforms of a data set and of what it wraps, containers opened."""
    stack: list[Any] = [dataset]
    seen: set[int] = set()
    while stack and len(seen) < 500:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | tuple):
            stack += [v for v in value if hasattr(v, "__dict__")][:50]
            continue
        if value is not dataset and not hasattr(value, "__len__") and not isinstance(value, type):
            yield type(value).__name__ if not hasattr(value, "__name__") else value.__name__
        attributes = getattr(value, "__dict__", {})
        names = (
            (*TRANSFORMS, "dataset", "datasets", "transforms", "_transforms") if value is dataset else tuple(attributes)
        )
        stack += [
            attributes[n] for n in names if n in attributes and attributes[n] is not None and not _plain(attributes[n])
        ]


def _plain(value: Any) -> bool:
    return isinstance(value, str | bytes | int | float | dict | type)


@evidence()
def dataset_facts(train_loader: Any) -> DatasetFacts:
    """Name, size and transforms of the training data set."""
    dataset = getattr(train_loader, "dataset", None)
    if dataset is None:
        raise Unavailable("train_loader has no data set that could be looked at")
    inner = innermost(dataset)
    names = tuple(dict.fromkeys(transform_names(dataset)))
    classes = getattr(inner, "classes", ())
    return DatasetFacts(
        name=_known_name(type(inner)),
        size=_drawn_from(train_loader, length(dataset)),
        full_size=length(inner),
        classes=tuple(map(str, classes)) if isinstance(classes, Sequence) else (),
        transforms=names,
        random_transforms=tuple(n for n in names if n.startswith(RANDOM_NAMES) or n.endswith(("Jitter", "Erasing"))),
        iterable=isinstance(dataset, IterableDataset),
        long_tailed=_known_name(type(inner)) != type(inner).__name__ and _is_long_tailed(inner),
    )


def _known_name(kind: type) -> str:
    """`CIFAR10` for a class derived from it, too."""
    bases = [k for k in kind.__mro__ if k.__module__.startswith("torchvision.datasets.")]
    return next((k.__name__ for k in bases if k.__name__ not in GENERAL), kind.__name__)


def _is_long_tailed(dataset: Any) -> bool:
    listed = getattr(dataset, "targets", None)
    if not isinstance(listed, Sequence | np.ndarray | Tensor):
        return False
    try:
        counts = Counter(int(t) for t in listed).values()
    except (TypeError, ValueError, RuntimeError):
        return False  # several numbers for each sample
    return max(counts, default=0) >= TAIL * min(counts, default=1)


def _drawn_from(loader: Any, size: int | None) -> int | None:
    """How many of its samples a loader draws from: fewer than all where a sampler has a list of them."""
    indices = getattr(getattr(loader, "sampler", None), "indices", None)
    listed = len(indices) if isinstance(indices, Sequence) else None
    return listed if size is None else min(size, listed or size)


def sampler_of(loader: Any) -> Callable[[Sequence[int]], Batch]:
    """A function that draws given indices as the loader does: through the data set and the collate function.

    Raises Unavailable for loaders without an indexable data set.
    """
    dataset = getattr(loader, "dataset", None)
    if dataset is None or isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        raise Unavailable("the loader has no data set in which one sample could be drawn twice")
    collate = getattr(loader, "collate_fn", None) or default_collate

    def draw(indices: Sequence[int]) -> Batch:
        with user_code("the data set"):
            many = getattr(dataset, "__getitems__", None)
            samples = many(list(indices)) if callable(many) else [dataset[i] for i in indices]
        with user_code("the collate function"):
            batch = split_batch(collate(samples))
        require_numbers(batch, "the data set")
        return batch

    return draw
