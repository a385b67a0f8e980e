"""Samples as they are before anything random is done to them: the data set's transforms stand aside while it is read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from trainingdoctor.errors import Reason, Unavailable, UserCodeError
from trainingdoctor.measure.batches import split_batch, tensors
from trainingdoctor.measure.calling import user_code

# An attribute is taken for a transform of the input when its name holds one of these and it can be called.
NAMES = ("transform", "aug", "preprocess", "tfm")


class StandIn:
    """Takes the place of a transform: hands images on as tensors, as ToTensor does, and keeps what came in last."""

    def __init__(self) -> None:
        self.last: Any = None

    def __call__(self, *values: Any, **named: Any) -> Any:
        if named and not values:
            key = "image" if "image" in named else next(iter(named))
            self.last = named[key]
            return {**named, key: as_tensor(self.last)}
        self.last = values[0]
        return as_tensor(values[0]) if len(values) == 1 else (as_tensor(values[0]), *values[1:])


def as_tensor(value: Any) -> Any:
    """An image (PIL, or an array H, W or H, W, C) as a tensor C, H, W, bytes as 0..1; anything else as it is."""
    if isinstance(value, Image):
        value = np.array(value.convert("RGB") if value.mode in ("P", "CMYK") else value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fub":
        tensor = torch.from_numpy(np.ascontiguousarray(value))
        if tensor.ndim == 3 and tensor.shape[2] in (1, 3, 4) and tensor.shape[0] not in (1, 3, 4):
            tensor = tensor.permute(2, 0, 1)
        elif tensor.ndim == 2:
            tensor = tensor[None]
        return tensor.float() / 255 if tensor.dtype is torch.uint8 else tensor.float()
    return value


@contextmanager
def plain(dataset: Any) -> Iterator[StandIn | None]:
    """Read `dataset` without its input transforms in the block: a stand-in takes their places.

    Yields the stand-in, None where no transform was found. Flags such as `augment=True` are off. Target transforms
    stay: what the labels are is theirs to say. What is random in __getitem__ itself stays random.
    """
    stand_in = StandIn()
    places = list(_places(dataset))
    before = [(holder, name, holder[name]) for holder, name in places]
    try:
        for holder, name, value in before:
            holder[name] = False if isinstance(value, bool) else stand_in
        yield stand_in if any(not isinstance(v, bool) for *_, v in before) else None
    finally:
        for holder, name, value in before:
            holder[name] = value


def input_transforms(dataset: Any) -> list[Any]:
    """The different input transforms that `plain` takes out."""
    found = [holder[name] for holder, name in _places(dataset) if not isinstance(holder[name], bool)]
    return list({id(transform): transform for transform in found}.values())


def _places(dataset: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """The attribute dictionaries of a data set and of what it wraps, with the names of input transforms in them."""
    stack: list[Any] = [dataset]
    seen: set[int] = set()
    while stack and len(seen) < 100:
        value = stack.pop()
        attributes = getattr(value, "__dict__", None)
        if id(value) in seen or not isinstance(attributes, dict):
            continue
        seen.add(id(value))
        for name, held in list(attributes.items()):
            if is_dataset(held) or (_is_input_transform(name, held) and hasattr(held, "target_transform")):
                stack.append(held)  # torchvision's StandardTransform holds both kinds.
            elif isinstance(held, list | tuple) and len(held) <= 50:
                stack += [item for item in held if is_dataset(item)]
            elif _is_input_transform(name, held):
                yield attributes, name


def _is_input_transform(name: str, value: Any) -> bool:
    lower = name.lower()
    if "target" in lower or "label" in lower or not any(word in lower for word in NAMES):
        return False
    return value is True if isinstance(value, bool) else callable(value)


def is_dataset(value: Any) -> bool:
    """Whether `value` gives samples by index."""
    return isinstance(value, Dataset) and hasattr(value, "__getitem__")


def indexable(loader: Any) -> Any:
    """The data set of a loader. Raises Unavailable unless it has a length and gives samples by index."""
    dataset = getattr(loader, "dataset", None)
    if dataset is None or isinstance(dataset, IterableDataset) or not hasattr(type(dataset), "__getitem__"):
        raise Unavailable("the loader has no data set whose samples could be read one by one")
    if not hasattr(type(dataset), "__len__"):
        raise Unavailable("the data set has no length")
    return dataset


def sample(dataset: Any, index: int) -> tuple[Tensor, Any]:
    """One sample's only input as a tensor, and its target.

    Raises Unavailable for samples with several inputs or none that is a tensor, and where the user's code does not
    bear the stand-in.
    """
    try:
        with user_code("the data set"):
            item = dataset[index]
    except UserCodeError as error:
        raise Unavailable(f"the samples cannot be read without their transforms: {error}", Reason.FAILED) from error
    if isinstance(item, list | tuple) and not item:
        raise Unavailable("a sample is an empty tuple")
    batch = split_batch(item)
    raw = batch.inputs
    values = list(raw.values()) if isinstance(raw, Mapping) else list(raw) if isinstance(raw, list | tuple) else [raw]
    found = list(tensors([as_tensor(value) for value in values]))
    if len(found) != 1 or len(values) != 1:
        raise Unavailable("a sample has several inputs, or none that is an image or a tensor")
    if found[0].is_meta or found[0].layout is not torch.strided:
        raise Unavailable("a sample is a tensor on the meta device, or a sparse one")
    return found[0].detach().cpu(), batch.targets


def class_of(target: Any) -> int | None:
    """The class index of one sample's target: a whole number, or the largest entry of a distribution."""
    if isinstance(target, bool | np.bool_ | str | bytes) or target is None:
        return None
    if isinstance(target, int | np.integer):
        return int(target)
    if not isinstance(target, Tensor | np.ndarray):
        return None
    values = torch.as_tensor(target)
    if values.ndim == 0 or values.numel() == 1:
        return None if values.is_floating_point() or values.dtype is torch.bool else int(values)
    distribution = values.ndim == 1 and bool((values >= 0).all()) and abs(float(values.sum()) - 1) < 1e-3
    return int(values.argmax()) if distribution else None
