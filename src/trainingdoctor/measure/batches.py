"""A batch: its inputs and targets, its rows, and how it goes through the user's model."""

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainingdoctor.errors import UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.carried import batch_alone

TARGET_KEYS = ("labels", "label", "targets", "target", "y", "fine_label", "coarse_label")


@dataclass(frozen=True)
class Batch:
    """One batch. inputs: a tensor, or what the model takes (dict, tuple).  targets: None when there are none.

    one: it is a single sample without a batch dimension, and is never cut.
    """

    inputs: Any
    targets: Any
    one: bool = False

    @property
    def size(self) -> int:
        """Number of samples: the first dimension of the first tensor."""
        return 1 if self.one else next((len(t) for t in tensors(self.inputs) if t.ndim), 0)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        return replace(self, inputs=moved(self.inputs, device), targets=moved(self.targets, device))

    @property
    def has_several_targets(self) -> bool:
        """Whether several class numbers belong to each sample, as in a language model: its rows may be time steps."""
        t = self.targets
        return isinstance(t, Tensor) and not t.is_floating_point() and t.numel() > self.size

    def detached(self) -> "Batch":
        """The same batch, of tensors that nothing was computed from."""
        return replace(self, inputs=mapped(self.inputs, Tensor.detach), targets=mapped(self.targets, Tensor.detach))

    def first(self, count: int) -> "Batch":
        """The first `count` samples."""
        return self.rows(0, count)

    def rows(self, start: int, count: int) -> "Batch":
        """`count` samples from `start` on."""
        if self.one:
            return self
        size = self.size
        return Batch(_rows(self.inputs, size, start, count), _target_rows(self.targets, size, start, count))


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists, mappings and `dataclass`-like outputs."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)


def mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """`value` with `function` applied to every tensor in it."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {key: mapped(item, function) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, function) for item in value]
    return value


def moved(value: Any, device: torch.device) -> Any:
    """`value` with every tensor on `device`."""
    return mapped(value, lambda t: t.to(device))


def _rows(value: Any, size: int, start: int, count: int) -> Any:
    """Of every tensor that has a row for each sample, or is the state of a recurrent net: (layers, samples, units)."""

    def cut(t: Tensor) -> Tensor:
        if t.ndim and len(t) == size:
            return t[start : start + count]
        return t[:, start : start + count].contiguous() if t.ndim == 3 and t.shape[1] == size else t

    return mapped(value, cut)


def _target_rows(targets: Any, size: int, start: int, count: int) -> Any:
    """Targets of language models come flattened: several, one after the other, for each row of the inputs."""
    if isinstance(targets, Tensor) and targets.ndim == 1 and size and len(targets) > size and not len(targets) % size:
        each = len(targets) // size
        return targets[start * each : (start + count) * each]
    return _rows(targets, size, start, count)


def split_batch(raw: Any) -> Batch:
    """Tell inputs from targets: (x, ..., y) tuples, dicts with a usual target key, anything else is all input."""
    if isinstance(raw, Mapping):
        key = next((k for k in TARGET_KEYS if k in raw), None)
        return Batch({k: v for k, v in raw.items() if k != key}, raw[key] if key else None)
    if isinstance(raw, list | tuple):
        if len(raw) == 1:
            return Batch(raw[0], None)
        return Batch(raw[0] if len(raw) == 2 else tuple(raw[:-1]), raw[-1])
    return Batch(raw, None)


@dataclass(frozen=True)
class BatchSize:
    """Samples in a training batch, as drawn; devices that share it (DataParallel)."""

    samples: int
    devices: int = 1


@evidence(cost="probe")
def batch_size(train_batches: tuple[Batch, ...], model: nn.Module) -> BatchSize:
    """Samples per batch and device."""
    devices = len(model.device_ids) if isinstance(model, nn.DataParallel) and model.device_ids else 1
    return BatchSize(train_batches[0].size // devices, devices)


def augmented(batch: Batch, augment: Callable[..., Any] | None) -> Batch:
    """`batch` after the user's augment_on_device: called with the inputs, or with inputs and targets if it takes two."""
    if augment is None:
        return batch
    with user_code("augment_on_device"):
        if required(augment) >= 2:
            inputs, targets = augment(batch.inputs, batch.targets)
            return Batch(inputs, targets)
        return replace(batch, inputs=augment(batch.inputs))


def required(function: Callable[..., Any]) -> int:
    """How many positional arguments a function must be given; 1 where it does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in parameters)


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer lives; the CPU if it has none."""
    tensor: Tensor | None = next(model.parameters(), None)
    tensor = next(model.buffers(), None) if tensor is None else tensor
    return torch.device("cpu") if tensor is None else tensor.device


def in_precision_of(model: nn.Module, inputs: Any) -> Any:
    """Single-precision inputs cast to the precision of a half-precision model, as its training loop must do."""
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    if dtype not in (torch.float16, torch.bfloat16):
        return inputs
    return mapped(inputs, lambda t: t.to(dtype) if t.dtype == torch.float32 else t)


def forward(model: nn.Module, batch: Batch) -> Any:
    """The model's raw output on a batch, given as the model takes it: a tensor, keyword arguments, or several inputs."""
    batch = batch.to(device_of(model))
    inputs = in_precision_of(model, batch.inputs)
    with user_code("the model's forward"), batch_alone(model):
        if isinstance(inputs, Mapping):
            output = _forward_mapping(model, inputs)
        else:
            output = model(*inputs) if isinstance(inputs, list | tuple) else model(inputs)
    if output is None:
        raise UserCodeError("the model's forward", said="the model returned None: its forward has no `return`")
    if _holds_nothing(output):
        said = f"the model returned a {type(output).__name__} without a tensor in it: nothing can be learned from that"
        raise UserCodeError("the model's forward", said=said)
    return output


def _holds_nothing(output: Any) -> bool:
    """Whether it is of a kind that is known, and no tensor is in it; an object of a class of one's own may hold some."""
    known = (str, bytes, int, float, complex, list, tuple, Mapping, Generator, type, np.ndarray, nn.Module)
    return isinstance(output, known) and not any(True for _ in tensors(output))


def _forward_mapping(model: nn.Module, inputs: Mapping[str, Any]) -> Any:
    parameters = inspect.signature(model.forward).parameters
    if any(key in parameters for key in inputs):
        variadic = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        return model(**{k: v for k, v in inputs.items() if variadic or k in parameters})
    only = [value for value in inputs.values() if isinstance(value, Tensor)]
    if len(only) == 1 and len(parameters) == 1:
        return model(only[0])
    return model(dict(inputs))
