"""Keys of samples, to find equal ones fast: from a data set's own arrays or files where it has them, else by drawing."""

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.budget import Budget
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.plain import is_dataset, plain, sample
from trainingdoctor.measure.samples import key_of

# Where data sets keep all inputs in memory, and where those of files keep their paths.
ARRAYS, FILES = ("data", "images", "x", "X", "inputs", "features"), ("samples", "imgs", "image_files", "_image_files")
# Samples of fewer values are told apart too badly: rows of a table repeat.
LEAST_VALUES = 64
# Images agree in headers, hardly ever in their last bytes and their size.
TAIL = 4096


@dataclass(frozen=True)
class Reader:
    """Gives the key of a sample by its index. kind: keys of two readers compare when they are of one kind."""

    kind: str
    key: Callable[[int], int | None]


def reader_of(dataset: Any) -> Reader | None:
    """Keys without drawing; None where a data set keeps neither arrays nor files, or a wrapper does more than wrap."""
    if isinstance(dataset, Subset):
        inner = reader_of(dataset.dataset)
        return inner and Reader(inner.kind, lambda i: inner.key(int(dataset.indices[i])))
    if isinstance(dataset, ConcatDataset):
        return _joined([reader_of(part) for part in dataset.datasets], [length(d) or 0 for d in dataset.datasets])
    size = length(dataset)
    own = getattr(dataset, "__dict__", {})
    if not size:
        return None
    array = next((own[n] for n in ARRAYS if _holds(own.get(n), size)), None)
    if array is None and isinstance(tensors := own.get("tensors"), tuple) and len(tensors) == 2:
        array = tensors[0]
    if isinstance(array, np.ndarray | Tensor):
        return _of_array(array)
    files = next((own[n] for n in FILES if _holds(own.get(n), size)), None)
    if files is not None and isinstance(_path(files[0]), Path):
        return Reader("file", lambda i: _key_of_file(files[i]))
    return _through(dataset, own, size)


def _holds(value: Any, size: int) -> bool:
    return isinstance(value, np.ndarray | Tensor | Sequence) and len(value) == size


def _of_array(array: np.ndarray | Tensor) -> Reader | None:
    values = array.numpy() if isinstance(array, Tensor) and array.device.type == "cpu" else array
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fub" or values[0].size < LEAST_VALUES:
        return None
    return Reader("array", lambda i: _key_of_bytes(values[i].tobytes()))


def _key_of_bytes(content: bytes) -> int | None:
    """None for an empty image or a vector of a few steps: it says nothing about where it came from."""
    step = max(len(content) // 64, 1) | 1
    return hash(content) if len(set(content[::step])) >= 8 else None


def _path(entry: Any) -> Path | None:
    first = entry[0] if isinstance(entry, tuple | list) and entry else entry
    return Path(first) if isinstance(first, str | Path) else None


def _key_of_file(entry: Any) -> int | None:
    path = _path(entry)
    if path is None or not path.is_file():
        return None
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - TAIL, 0))
        return hash((size, file.read()))


def _joined(parts: list[Reader | None], sizes: list[int]) -> Reader | None:
    kinds = {part.kind if part else None for part in parts}
    if len(kinds) != 1 or None in kinds:
        return None
    ends = list(accumulate(sizes))
    readers = [part for part in parts if part]

    def key(index: int) -> int | None:
        which = bisect.bisect_right(ends, index)
        return readers[which].key(index - (ends[which - 1] if which else 0))

    return Reader(readers[0].kind, key)


def _through(dataset: Any, attributes: dict[str, Any], size: int) -> Reader | None:
    """The reader of the one data set that a wrapper holds, if sample i of one is sample i of the other."""
    held = [value for value in attributes.values() if is_dataset(value) and length(value) == size]
    inner = reader_of(held[0]) if len(held) == 1 else None
    if inner is None:
        return None
    with plain(dataset):
        for index in np.linspace(0, size - 1, min(size, 8)).astype(int).tolist():
            if key_of(sample(dataset, index)[0]) != key_of(sample(held[0], index)[0]):
                return None
    return inner


def drawn_reader(dataset: Any) -> Reader:
    """Keys of samples as the data set gives them; for use within `plain(dataset)`."""

    def key(index: int) -> int | None:
        value, _ = sample(dataset, index)
        if value.numel() < LEAST_VALUES or (value.ndim < 2 and not value.is_floating_point()):
            raise Unavailable("the samples are too small to tell copies from coincidences")
        return _key_of_bytes(value.contiguous().numpy().tobytes())

    return Reader("drawn", key)


def keys(reader: Reader, indices: Sequence[int], seconds: float) -> dict[int, int]:
    """Key by index, in random order, as many as can be read in `seconds`; samples without content are left out."""
    budget = Budget(seconds)
    found: dict[int, int] = {}
    with user_code("the data set"):
        for index in np.random.default_rng(0).permutation(indices).tolist():
            key = reader.key(index)
            if key is not None:
                found[index] = key
            if budget.spent:
                break
    return found
