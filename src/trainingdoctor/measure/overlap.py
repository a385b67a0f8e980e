"""Equal samples: within the training set, and between training and evaluation."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.utils.data import TensorDataset

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.indices import indices_of, rows
from trainingdoctor.measure.keys import drawn_reader, keys, reader_of
from trainingdoctor.measure.plain import class_of, indexable, plain, sample
from trainingdoctor.measure.targets import listed_targets


@dataclass(frozen=True)
class Repeats:
    """Equal samples of the training set. read: samples that were compared, of `size`.  distinct: different ones.

    even: every sample appears equally often, as in a data set repeated to make epochs longer.  share: of samples that
    repeat another one, in the class with the most different samples (to make rare classes frequent by repeating them
    is a method).  conflicting: share of samples that equal another one with a different label.
    """

    read: int
    size: int
    distinct: int
    even: bool
    share: float
    conflicting: float


@dataclass(frozen=True)
class Leakage:
    """shared: share of the evaluation samples that are in the training set.  same_rows: seen by index, in one data set.

    read: evaluation samples compared.  train_read: share of the training set that they were compared with.
    """

    shared: float
    same_rows: bool
    read: int
    train_read: float


@dataclass(frozen=True)
class TrainKeys:
    """Keys of the training samples by index. kind: of their reader.  size: samples that the loader gives."""

    found: Mapping[int, int]
    kind: str
    size: int


@evidence(cost="probe")
def train_keys(train_loader: Any, *, seconds: float = 2.0) -> TrainKeys:
    """Keys of the training samples before augmentation, as many as can be read in `seconds`."""
    dataset, wanted = indexable(train_loader), indices_of(train_loader)
    with plain(dataset):
        reader = reader_of(dataset) or drawn_reader(dataset)
        return TrainKeys(keys(reader, wanted, seconds), reader.kind, len(wanted))


@evidence(cost="probe")
def repeats(train_loader: Any, train_keys: TrainKeys) -> Repeats:
    """Compare the training samples with each other, byte for byte, before augmentation."""
    dataset, found = indexable(train_loader), train_keys.found
    if len(found) < 100:
        raise Unavailable("too few samples with content to look for copies")
    with plain(dataset):
        counts = Counter(found.values())
        return Repeats(
            read=len(found),
            size=train_keys.size,
            distinct=len(counts),
            even=len(set(counts.values())) == 1,
            share=_repeated_share(found, listed_targets(dataset)),
            conflicting=_conflicting(dataset, found, counts),
        )


def _repeated_share(found: Mapping[int, int], labels: list[int] | None) -> float:
    by_class: dict[int, list[int]] = defaultdict(list)
    for index, key in found.items():
        by_class[labels[index] if labels else 0].append(key)
    fullest = max(by_class.values(), key=lambda kept: len(set(kept)))
    return 1 - len(set(fullest)) / len(fullest)


def _conflicting(dataset: Any, found: Mapping[int, int], counts: Counter[int], most: int = 200) -> float:
    """Share of samples in groups of equal ones whose labels differ, from up to `most` groups."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, key in found.items():
        if counts[key] > 1 and (key in groups or len(groups) < most):
            groups[key].append(index)
    # Labels may come through wrappers and target transforms: the drawn ones count.
    labels = [{class_of(sample(dataset, i)[1]) for i in group[:4]} for group in groups.values()]
    disagree = sum(len(found_labels - {None}) > 1 for found_labels in labels)
    repeated = sum(count for count in counts.values() if count > 1)
    return disagree / max(len(groups), 1) * repeated / len(found)


def _same_rows(one: Any, other: Any) -> bool:
    """Whether equal indices are equal samples: one data set, or two over the same tensor, or over its first rows."""
    if one is other:
        return True
    first, second = (d.tensors[0] if isinstance(d, TensorDataset) else None for d in (one, other))
    if first is None or second is None or not first.numel() or not second.numel():
        return False
    return (first.data_ptr(), first.stride(), first.shape[1:]) == (second.data_ptr(), second.stride(), second.shape[1:])


@evidence(cost="probe", optional=("train_keys",))
def leakage(train_loader: Any, val_loader: Any, train_keys: TrainKeys | None, *, seconds: float = 2.0) -> Leakage:
    """Compare both sets' samples before augmentation: by index where they share a data set, else by content."""
    train, evaluation = indexable(train_loader), indexable(val_loader)
    train_indices, indices = indices_of(train_loader), indices_of(val_loader)
    (base, train_rows), (other, eval_rows) = rows(train, train_indices), rows(evaluation, indices)
    known = set(train_rows)
    if _same_rows(base, other) and not known.isdisjoint(eval_rows):
        return Leakage(sum(i in known for i in eval_rows) / len(eval_rows), True, len(eval_rows), 1.0)
    if train_keys is None:
        raise Unavailable("the training samples cannot be told apart by their content")
    of_train = train_keys.found
    with plain(train), plain(evaluation):
        reader = reader_of(evaluation)
        if reader is None or reader.kind != train_keys.kind:
            # Bytes of a file and of an image that was read do not compare: draw both.
            reader = drawn_reader(evaluation)
            of_train = of_train if train_keys.kind == reader.kind else keys(drawn_reader(train), train_indices, seconds)
        of_eval = keys(reader, indices, seconds)
    if len(of_eval) < 50 or len(of_train) < 50:
        raise Unavailable("too few samples with content to look for copies")
    values, covered = set(of_train.values()), len(of_train) / len(train_indices)
    shared = sum(key in values for key in of_eval.values()) / len(of_eval)
    return Leakage(min(shared / covered, 1.0), False, len(of_eval), covered)
