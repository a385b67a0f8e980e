"""What each field of a `Training` may hold, and the sentence for what it may not."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from trainingdoctor.errors import UserError
from trainingdoctor.history.curves import LearningCurves
from trainingdoctor.training import Training

Test = Callable[[Any], bool]


def careful(test: Test) -> Test:
    """A test that an object whose attributes raise does not pass."""

    @functools.wraps(test)
    def careful_test(value: Any) -> bool:
        try:
            return test(value)
        except Exception:  # noqa: BLE001 - it is the user's object that raises
            return False

    return careful_test


@careful
def is_scheduler(value: Any) -> bool:
    """torch's schedulers, and home-made ones: an object with `step` that is neither optimizer nor module."""
    if isinstance(value, LRScheduler | ReduceLROnPlateau):
        return True
    is_other = isinstance(value, type | Optimizer | nn.Module)
    return not is_other and callable(getattr(value, "step", None)) and not callable(getattr(value, "zero_grad", None))


@careful
def is_loss(value: Any) -> bool:
    """One of torch's losses."""
    return isinstance(value, nn.modules.loss._Loss)


@careful
def is_model(value: Any) -> bool:
    """A module that is no loss, and whose `__init__` called that of nn.Module."""
    return isinstance(value, nn.Module) and not is_loss(value) and is_whole(value)


def is_whole(value: Any) -> bool:
    """Whether it is no module, or one whose `__init__` called that of nn.Module."""
    return not issubclass(type(value), nn.Module) or getattr(value, "_modules", None) is not None


@careful
def is_optimizer(value: Any) -> bool:
    """torch's optimizers, and others that have groups and steps."""
    return isinstance(value, Optimizer) or (hasattr(value, "param_groups") and hasattr(value, "step"))


@careful
def is_loader(value: Any) -> bool:
    """Anything that gives batches when iterated."""
    other = (str, bytes, Mapping, torch.Tensor, nn.Module, type)
    return isinstance(value, Iterable) and not isinstance(value, other)


def is_number(value: Any) -> bool:
    """A finite number, NumPy's included."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def several(valid: Test) -> Test:
    """One, or a list or dict of several."""

    def each(value: Any) -> bool:
        values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
        return bool(values) and all(valid(v) for v in values)

    return each


VALID: Mapping[str, Test] = {
    "model": is_model,
    "train_loader": is_loader,
    "val_loader": is_loader,
    "criterion": careful(lambda v: callable(v) and not isinstance(v, type) and is_whole(v)),
    "optimizer": several(is_optimizer),
    "scheduler": several(is_scheduler),
    "epochs": lambda v: is_number(v) and v > 0,
    "scheduler_interval": lambda v: isinstance(v, str) and v in ("epoch", "step"),
    "device": lambda v: isinstance(v, str | int | torch.device),
    "num_classes": is_number,
    "target_accuracy": is_number,
    "amp": lambda v: isinstance(v, bool | torch.dtype),
    "grad_clip": is_number,
    "augment_on_device": callable,
    "history": lambda v: isinstance(v, str | Path | LearningCurves),
    "name": lambda v: isinstance(v, str),
}

WANTED: Mapping[str, str] = {
    "model": "a torch.nn.Module",
    "train_loader": "a DataLoader or another iterable of batches",
    "val_loader": "a DataLoader or another iterable of batches",
    "criterion": "a callable (an instance, as in nn.CrossEntropyLoss(), not the class)",
    "optimizer": "a torch optimizer or a list of them",
    "scheduler": "an object with step(), or a list of them",
    "epochs": "a number above 0",
    "scheduler_interval": '"epoch" or "step"',
    "device": "a torch.device or its name",
    "num_classes": "a number",
    "target_accuracy": "a number (percent)",
    "amp": "True, False or a torch.dtype",
    "grad_clip": "a number (the largest gradient norm)",
    "augment_on_device": "a callable",
    "history": "the path of a metrics file",
    "name": "a string",
}


VALID = {field: careful(test) for field, test in VALID.items()}


def require_types(training: Training, source: str) -> None:
    """Raise UserError for the first field that holds something which cannot be what its name says."""
    for field in Training.field_names():
        value = getattr(training, field)
        if value is not None and not VALID[field](value):
            raise UserError(f"{source}: {field} must be {WANTED[field]}, not {_described(value)}")


def _described(value: Any) -> str:
    if issubclass(type(value), type):
        return f"the class {value.__name__}"
    if not is_whole(value):
        return f"{type(value).__name__} whose __init__ does not call super().__init__()"
    return f"{type(value).__name__} {value!r}"[:60] if isinstance(value, str | int | float) else type(value).__name__
