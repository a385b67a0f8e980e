"""Looking changes nothing: `restored` puts a training back bit for bit, after an exception too."""

import os
import random
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.data import DataLoader, Dataset, Sampler

from trainingdoctor.errors import Reason, Unavailable
from trainingdoctor.training import Training

Undo = Callable[[], None]

# Deep enough for a scheduler inside a sequence, or a transform inside a Compose inside a Subset.
_DEPTH = 12
# Longer containers and larger arrays are the data set itself, which nothing here writes to.
_LONG, _LARGE = 2_000, 1 << 16
_OPAQUE = (type, types.ModuleType, types.BuiltinFunctionType, types.GeneratorType, torch.device)
_FOREIGN = ("multiprocessing", "threading", "concurrent", "asyncio", "logging", "torch._C", "torch._dynamo", "_io")


@contextmanager
def restored(*objects: Any) -> Iterator[None]:
    """Undo on exit whatever the block does to a training's parts and to the random states, after an exception too.

    objects: any number of models, optimizers, schedulers, criteria, scalers, loaders, data sets, transforms, lists of
    such, or a whole `Training`; what is None is passed over.

    Restored bit for bit: parameters and buffers (data, gradient, requires_grad), train/eval modes, hooks and every
    other attribute of modules, optimizer and scheduler state, random generators and plain attributes that the
    loaders, data sets and transforms own, the random states of Python, NumPy and torch, and torch's global switches.
    Large arrays and long lists of a data set are taken as constant, and so is what a function reads from its module's
    globals; what a generator has yielded does not come back. Costs a copy of the parameters, the buffers and the
    optimizer state. Raises Unavailable for a model with lazy parameters: they cannot be made lazy again.

    >>> import torch, trainingdoctor
    >>> model = torch.nn.Linear(4, 2)
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> before = model.weight.clone()
    >>> with trainingdoctor.restored(model, optimizer):
    ...     model(torch.randn(8, 4)).sum().backward()
    ...     optimizer.step()
    ...     moved = not torch.equal(model.weight, before)
    >>> moved, torch.equal(model.weight, before), model.weight.grad, len(optimizer.state)
    (True, True, None, 0)
    """
    snapshot = Snapshot(*objects)
    try:
        yield
    finally:
        snapshot.restore()


class Snapshot:
    """What `restored` puts back, taken once; `restore` may be called as often as wanted.

    Taking it walks through all objects, which for a ResNet-110 costs several times what putting back does.
    """

    def __init__(self, *objects: Any) -> None:
        self._memory = _Memory()
        # What holds parameters comes first: what a data set reaches as well must not count as data.
        for value, data in sorted(_parts(objects), key=lambda part: part[1]):
            self._memory.keep(value, data=data)
        self._globals = tuple(_global_state())

    def restore(self) -> None:
        """Put everything back, in reverse order."""
        _all(iter((*reversed(self._memory.undo), *reversed(self._globals))))


def _all(steps: Iterator[Undo]) -> None:
    """Make all steps, the others too when one raises. (An ExitStack's thousands of objects start the garbage collector.)"""
    for step in steps:
        try:
            step()
        except BaseException:
            _all(steps)
            raise


@contextmanager
def undone_and_seeded(snapshot: Snapshot, seed: int) -> Iterator[None]:
    """A block with the same random numbers every time, after which the snapshot is restored."""
    try:
        seed_everything(seed)
        yield
    finally:
        snapshot.restore()


def _parts(objects: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Each object, and whether it is data."""
    for value in objects:
        if isinstance(value, Training):
            yield from ((part, False) for part in (value.model, value.criterion, value.optimizer, value.scheduler))
            yield from ((part, True) for part in (value.train_loader, value.val_loader, value.augment_on_device))
        else:
            yield value, _is_data(value)


def _is_data(value: Any) -> bool:
    """Whether `value` gives samples: its large arrays are the data, which nothing here writes to."""
    if isinstance(value, DataLoader | Dataset | Sampler):
        return True
    if isinstance(value, nn.Module | Tensor | Mapping | list | tuple) or hasattr(value, "state_dict"):
        return False
    return hasattr(value, "__iter__") or hasattr(value, "__getitem__")


class _Memory:
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
        names = [n for c in type(value).__mro__ for n in _slots(c) if isinstance(vars(c).get(n), _SLOT)]
        slots = {name: getattr(value, name) for name in names if hasattr(value, name)}
        self.undo += [partial(object.__setattr__, value, name, old) for name, old in slots.items()]
        attributes = getattr(value, "__dict__", None)
        return [*held, *slots.values(), *([attributes] if isinstance(attributes, dict) else [])]

    def _closure(self, function: types.FunctionType) -> list[Any]:
        cells = [c for c in function.__closure__ or () if _is_filled(c)]
        self.undo += [partial(setattr, c, "cell_contents", c.cell_contents) for c in cells]
        return [*(c.cell_contents for c in cells), function.__dict__]


_SLOT = types.MemberDescriptorType


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


def _global_state() -> Iterator[Undo]:
    """The random states and switches of the process."""
    folder = Path.cwd()
    yield lambda: os.chdir(folder)
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield lambda: random.setstate(python)
    yield lambda: np.random.set_state(numpy)
    yield lambda: torch.set_rng_state(cpu)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(states)
    gradients, dtype, deterministic = (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
    )
    yield lambda: void(torch.set_grad_enabled(gradients))
    yield lambda: torch.set_default_dtype(dtype)
    yield lambda: torch.use_deterministic_algorithms(deterministic)
    cudnn = {name: getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    for name, value in cudnn.items():
        yield partial(setattr, torch.backends.cudnn, name, value)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, so that a measurement does not depend on what was measured before it."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if any(module.is_available() for module in (torch.cuda, torch.xpu, torch.backends.mps)):
        torch.manual_seed(seed)
    else:
        # Without the traces of the stack that torch keeps for the devices that are not there: 3 ms each.
        torch.default_generator.manual_seed(seed)
