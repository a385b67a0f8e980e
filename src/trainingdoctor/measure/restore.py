"""Looking changes nothing: `restored` puts a training back bit for bit, after an exception too."""

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from trainingdoctor.measure.memory import Memory, Undo, void
from trainingdoctor.training import Training


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
        self._memory = Memory()
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


def _global_state() -> Iterator[Undo]:
    """The random states and switches of the process."""
    with suppress(FileNotFoundError):  # a script may have deleted the folder that it is in
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
