"""Looking changes nothing: `restored` puts a training back bit for bit, after an exception too."""

import random
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.data import DataLoader, Dataset, Sampler

from trainingdoctor.errors import Unavailable
from trainingdoctor.training import Training

Undo = Callable[[], None]

# Deep enough for a scheduler inside a sequence, or a transform inside a Compose inside a Subset.
_DEPTH = 12
# Longer containers and larger arrays are the data set itself, which nothing here writes to.
_LONG, _LARGE = 2_000, 1 << 16
_OPAQUE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.GeneratorType, torch.device)
_FOREIGN = ("multiprocessing", "threading", "concurrent", "asyncio", "logging", "torch._C", "torch._dynamo", "_io")


@contextmanager
def restored(*objects: Any) -> Iterator[None]:
    """Undo on exit whatever the block does to a training's parts and to the random states, after an exception too.

    objects: any number of models, optimizers, schedulers, criteria, scalers, loaders, data sets, transforms, lists of
    such, or a whole `Training`; what is None is passed over.

    Restored bit for bit: parameters and buffers (data, gradient, requires_grad), train/eval modes, hooks and every
    other attribute of modules, optimizer and scheduler state, random generators and plain attributes that the
    loaders, data sets and transforms own, the random states of Python, NumPy and torch, and torch's global switches.
    Large arrays and long lists of a data set are taken as constant; what a generator has yielded does not come back.
    Costs a copy of the parameters, the buffers and the optimizer state. Raises Unavailable for a model with lazy
    parameters: they cannot be made lazy again.

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
    undo = [*_global_state()]
    memory = _Memory()
    # What holds parameters comes first: what a data set reaches as well must not count as data.
    for value, data in sorted(_parts(objects), key=lambda part: part[1]):
        memory.keep(value, data=data)
    try:
        yield
    finally:
        for step in (*reversed(memory.undo), *undo):
            step()


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
        if depth > _DEPTH or isinstance(value, _OPAQUE) or _foreign(value):
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
        return self._remember_container(value)

    def _remember_container(self, value: Any) -> list[Any]:
        if type(value) in (dict, OrderedDict, defaultdict):
            self.undo.append(_refill(value, dict(value)))
            return list(value.values())
        if type(value) in (list, deque, set):
            self.undo.append(_refill(value, list(value)))
            return list(value)
        if isinstance(value, tuple | frozenset):
            return list(value)
        if isinstance(value, types.MethodType):
            return [value.__self__]
        attributes = getattr(value, "__dict__", None)
        return [attributes] if isinstance(attributes, dict) else []


def _foreign(value: Any) -> bool:
    """Whether `value` belongs to the machinery below. torch's generators live there as well, and are not."""
    return type(value).__module__.startswith(_FOREIGN) and not isinstance(value, torch.Generator)


def _tensor(value: Tensor) -> Undo:
    if is_lazy(value):
        raise Unavailable("the model has lazy parameters that do not exist yet: run one batch through it in the config")
    storage, copy, needs_grad = value.data, value.detach().clone(), value.requires_grad
    gradient = value.grad if value.is_leaf else None
    gradient_copy = None if gradient is None else gradient.detach().clone()

    def undo() -> None:
        with torch.no_grad():
            value.data = storage
            storage.copy_(copy)
            if value.is_leaf:
                value.requires_grad_(needs_grad)
                value.grad = gradient
            if gradient is not None and gradient_copy is not None:
                gradient.detach().copy_(gradient_copy)

    return undo


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


def _refill(container: Any, contents: Any) -> Undo:
    def undo() -> None:
        container.clear()
        (container.extend if isinstance(container, list | deque) else container.update)(contents)

    return undo


def _global_state() -> Iterator[Undo]:
    """The random states and switches of the process."""
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
    torch.manual_seed(seed)
