"""What an object holds, down to its last mutable part, and the steps that put it back."""

import random
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from trainingdoctor.errors import Reason, Unavailable

Undo = Callable[[], None]

# Deep enough for a scheduler inside a sequence, or a transform inside a Compose inside a Subset.
_DEPTH = 12
# Longer containers and larger arrays are the data set itself, which nothing here writes to.
_LONG, _LARGE = 2_000, 1 << 16
_OPAQUE = (type, types.ModuleType, types.BuiltinFunctionType, types.GeneratorType, torch.device)
_FOREIGN = ("multiprocessing", "threading", "concurrent", "asyncio", "logging", "torch._C", "torch._dynamo", "_io")


class Memory:
    """Walks an object graph and collects the steps that put each mutable part of it back."""

    def __init__(self) -> None:
        self.undo: list[Undo] = []
        self.alive: list[Any] = []
        self.seen: set[int] = set()

    def keep(self, value: Any, *, data: bool, depth: int = 0) -> None:
        """Remember `value` and what it reaches; `data` marks loaders, whose large containers are not copied."""
        if value is None or isinstance(value, str | bytes | int | float | complex) or id(value) in self.seen:
            return
        if depth > _DEPTH or isinstance(value, _OPAQUE) or _is_foreign(value):
            return
        self.seen.add(id(value))
        self.alive.append(value)
        children = self._remember(value, data)
        if not data or len(children) <= _LONG:
            # Parts of a module tree do not count as depth: models nest as deep as they like.
            deeper = depth if isinstance(value, nn.Module) or not data else depth + 1
            for child in children:
                self.keep(child, data=data, depth=deeper)

    def _remember(self, value: Any, data: bool) -> list[Any]:
        if isinstance(value, Tensor):
            if not data or value.numel() * value.element_size() <= _LARGE:
                self.undo.append(_tensor(value))
            return []
        if isinstance(value, np.ndarray):
            if value.nbytes <= _LARGE and value.flags.writeable:
                self.undo.append(_array(value))
            return []
        if (generator := _generator(value)) is not None:
            self.undo.append(generator)
            return []
        if isinstance(value, torch.jit.ScriptModule):
            return self._script(value)
        return [*self._items(value), *self._attributes(value)]

    def _script(self, module: torch.jit.ScriptModule) -> list[Any]:
        """What a compiled module keeps outside of Python."""
        self.undo.append(partial(setattr, module, "training", module.training))
        return [*module.parameters(recurse=False), *module.buffers(recurse=False), *module.children()]

    def _items(self, value: Any) -> list[Any]:
        if isinstance(value, dict | list | deque | set):
            self.undo.append(_refill(value))
            return list(value.values() if isinstance(value, dict) else value)
        return list(value) if isinstance(value, tuple | frozenset) else []

    def _attributes(self, value: Any) -> list[Any]:
        """What an object holds besides its items: its `__dict__`, its slots, and what it calls."""
        if isinstance(value, types.MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, types.FunctionType):
            return self._closure(value)
        held = [value.func, value.args, value.keywords] if isinstance(value, partial) else []
        slots = list(_filled_slots(value))
        self.undo += [partial(slot.__set__, value, old) for slot, old in slots]
        attributes = getattr(value, "__dict__", None)
        return [*held, *(old for _, old in slots), *([attributes] if isinstance(attributes, dict) else [])]

    def _closure(self, function: types.FunctionType) -> list[Any]:
        cells = [c for c in function.__closure__ or () if _is_filled(c)]
        self.undo += [partial(setattr, c, "cell_contents", c.cell_contents) for c in cells]
        return [*(c.cell_contents for c in cells), function.__dict__]


def _filled_slots(value: Any) -> Iterator[tuple[types.MemberDescriptorType, Any]]:
    """Slots with what they hold, by themselves: a property of a class below may bear a slot's name, as in Python 3.13's paths."""
    for cls in type(value).__mro__:
        for slot in (vars(cls).get(name) for name in _slots(cls)):
            if isinstance(slot, types.MemberDescriptorType):
                with suppress(AttributeError):  # empty
                    yield slot, slot.__get__(value)


def _slots(cls: type) -> tuple[str, ...]:
    """The slots that a class written in Python declares."""
    names = vars(cls).get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_foreign(value: Any) -> bool:
    """Objects of the machinery, which are not walked through; torch's generators are, though they live in torch._C."""
    return type(value).__module__.startswith(_FOREIGN) and not isinstance(value, torch.Generator | nn.Module)


def _tensor(value: Tensor) -> Undo:
    if is_lazy(value):
        said = "the model has lazy parameters that do not exist yet: run one batch through it in the config"
        raise Unavailable(said, Reason.FAILED)
    if value.is_meta:
        said = "there are tensors on the meta device, which hold no numbers: give the model its weights in the config"
        raise Unavailable(said, Reason.FAILED)
    storage, copy, needs_grad = value.data, value.detach().clone(), value.requires_grad
    gradient = value.grad if value.is_leaf else None
    gradient_copy = None if gradient is None else gradient.detach().clone()

    def undo() -> None:
        with torch.no_grad():
            value.data = storage
            _write(storage, copy)
            if value.is_leaf:
                value.requires_grad_(needs_grad)
                value.grad = gradient
            if gradient is not None and gradient_copy is not None:
                gradient.detach().copy_(gradient_copy)

    return undo


def _write(tensor: Tensor, numbers: Tensor) -> None:
    """Copy into a tensor, each memory location once: an expanded one (stride 0) cannot be written to as it is."""
    for dim, size in enumerate(tensor.shape if tensor.layout is torch.strided else ()):
        if size > 1 and tensor.stride(dim) == 0:
            tensor, numbers = tensor.narrow(dim, 0, 1), numbers.narrow(dim, 0, 1)
    tensor.copy_(numbers)


def _array(value: np.ndarray) -> Undo:
    copy = value.copy()

    def undo() -> None:
        value[...] = copy

    return undo


def _generator(value: Any) -> Undo | None:
    """The step that resets a random generator object; None for anything else."""
    if isinstance(value, torch.Generator):
        state = value.get_state()
        return lambda: void(value.set_state(state))
    if isinstance(value, random.Random):
        python_state = value.getstate()
        return lambda: value.setstate(python_state)
    if isinstance(value, np.random.RandomState):
        legacy = value.get_state()
        return lambda: value.set_state(legacy)
    if isinstance(value, np.random.Generator):
        bits, numpy_state = value.bit_generator, value.bit_generator.state
        return lambda: setattr(bits, "state", numpy_state)
    return None


def void(_: object) -> None:
    """Nothing, of something: for a lambda that must return None."""


def _refill(container: Any) -> Undo:
    """The step that puts a container's contents back, past whatever a subclass does on the way."""
    kind: Any = next(k for k in (OrderedDict, dict, list, deque, set) if isinstance(container, k))
    contents = dict(container) if issubclass(kind, dict) else list(container)
    fill = kind.extend if kind in (list, deque) else kind.update

    def undo() -> None:
        kind.clear(container)
        fill(container, contents)

    return undo
