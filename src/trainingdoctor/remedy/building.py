"""Watch a config or script build its training: which call in the user's source made which object."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import VisionDataset

from trainingdoctor.observing.places import CallSite, Place, is_ours, is_users, place_of
from trainingdoctor.observing.replacing import wrap

# Attributes of modules that configs set from outside.
ATTRIBUTES = ("momentum", "eps", "p", "track_running_stats", "affine", "negative_slope")
# Frames further out than this are those of whoever runs the script.
DEPTH = 12


@dataclass(frozen=True)
class Built:
    """calls: the user's calls that were under way, innermost first.

    direct: whether the innermost one is the call of the class itself, rather than of a library that built it.
    """

    calls: tuple[CallSite, ...]
    direct: bool


@dataclass
class Building:
    """What was seen, by identity; everything is kept alive, so that no identity is used twice."""

    objects: dict[int, tuple[Any, Built]] = field(default_factory=dict)
    attributes: dict[tuple[int, str], Place] = field(default_factory=dict)
    initializers: dict[int, tuple[Any, str, Place]] = field(default_factory=dict)

    def of(self, value: Any) -> Built | None:
        """How an object was built."""
        return self.objects.get(id(value), (None, None))[1]


@contextmanager
def watched_building() -> Iterator[Building]:
    """Record what is built, set and initialized inside the block."""
    building = Building()
    with ExitStack() as stack:
        for owner in _classes():
            wrap(stack, owner, "__init__", functools.partial(_made, building))
        wrap(stack, nn.Module, "__setattr__", functools.partial(_set, building))
        wrap(stack, nn.Module, "train", functools.partial(_switched, building))
        _watch_subclasses(stack, building)
        for name in [n for n in dir(nn.init) if n.endswith("_") and not n.startswith("_")]:
            wrap(stack, nn.init, name, functools.partial(_initialized, building, name))
        yield building


def _classes() -> list[type]:
    """Those whose `__init__` runs for every object of a kind; schedulers of torch do not all call their base's."""
    base = lr_scheduler.LRScheduler
    schedulers = [c for c in vars(lr_scheduler).values() if isinstance(c, type) and issubclass(c, base)]
    return [
        nn.Module,
        Optimizer,
        DataLoader,
        VisionDataset,
        transforms.Compose,
        transforms.ToTensor,
        *(c for c in schedulers if "__init__" in vars(c)),
    ]


def _watch_subclasses(stack: ExitStack, building: Building) -> None:
    """Data sets of the user's own call no `__init__` of their base: theirs is wrapped as the class is made."""

    def made(cls: Any, /, **kwargs: Any) -> None:
        super(Dataset, cls).__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            wrap(stack, cls, "__init__", functools.partial(_made, building))

    Dataset.__init_subclass__ = classmethod(made)  # type: ignore[assignment]
    stack.callback(delattr, Dataset, "__init_subclass__")


def _made(building: Building, original: Callable[..., Any], made: Any, *args: Any, **kwargs: Any) -> None:
    if id(made) not in building.objects:
        building.objects[id(made)] = (made, _built(made, sys._getframe(2)))
    original(made, *args, **kwargs)


def _built(made: Any, frame: FrameType | None) -> Built:
    """From the frame that called the outermost `__init__` of the object, outwards. What watches a loop may stand in between."""
    while frame is not None and (is_ours(frame.f_code.co_filename) or _is_method_of(frame, made)):
        frame = frame.f_back
    direct = frame is not None and is_users(frame.f_code.co_filename)
    calls: list[CallSite] = []
    kind: Any = type(made)
    names, left = _parameters(kind), DEPTH
    while frame is not None and left:
        if is_users(frame.f_code.co_filename) and (place := place_of(frame)) is not None:
            calls.append(CallSite(place, names))
        own = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        names, left = own[1:] if own[:1] in (("self",), ("cls",)) else own, left - 1
        frame = frame.f_back
    return Built(tuple(calls), direct and bool(calls))


def _is_method_of(frame: FrameType, made: Any) -> bool:
    code = frame.f_code
    return bool(code.co_argcount) and frame.f_locals.get(code.co_varnames[0]) is made


@functools.cache
def _parameters(kind: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(kind).parameters)
    except (TypeError, ValueError):
        return ()


def _set(building: Building, original: Callable[..., Any], module: Any, name: str, value: Any) -> None:
    if name in ATTRIBUTES:
        _remember(building, module, name, sys._getframe(2))
    original(module, name, value)


def _switched(building: Building, original: Callable[..., Any], module: Any, mode: bool = True) -> Any:
    frame: FrameType | None = sys._getframe(2)
    if frame is not None and frame.f_code.co_name == "eval":
        frame = frame.f_back
    if not mode:
        _remember(building, module, "training", frame)
    else:
        building.attributes.pop((id(module), "training"), None)
    return original(module, mode)


def _remember(building: Building, module: Any, name: str, frame: FrameType | None) -> None:
    if frame is not None and is_users(frame.f_code.co_filename) and (place := place_of(frame)) is not None:
        building.attributes[id(module), name] = place


def _initialized(
    building: Building, name: str, original: Callable[..., Any], tensor: Any = None, *args: Any, **kwargs: Any
) -> Any:
    frame = sys._getframe(2)
    if isinstance(tensor, torch.Tensor) and is_users(frame.f_code.co_filename) and (place := place_of(frame)):
        building.initializers[id(tensor)] = (tensor, name, place)
    return original(*(() if tensor is None else (tensor,)), *args, **kwargs)
