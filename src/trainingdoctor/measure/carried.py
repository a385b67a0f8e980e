"""What a model keeps of one batch for the next: the hidden state of a recurrent net, as an attribute of a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

# The attributes that a model was seen to write in its forward, by the path of their module.
_WRITTEN: WeakKeyDictionary[nn.Module, tuple[tuple[str, str], ...]] = WeakKeyDictionary()


@contextmanager
def batch_alone(model: nn.Module) -> Iterator[None]:
    """A forward pass that does not reach into the graph of the last one.

    Training loops reset or detach what a model carries on, which they do outside of it. What a forward writes is seen
    in its first pass with gradients: what was computed once, from a parameter, stays as it is.
    """
    for path, name in _WRITTEN.get(model, ()):
        _detach(model.get_submodule(path), name)
    before = dict(_with_graphs(model)) if torch.is_grad_enabled() and model not in _WRITTEN else None
    yield
    if before is not None:
        _WRITTEN[model] = tuple(key for key, value in _with_graphs(model) if value is not before.get(key))


def release_all(model: nn.Module) -> None:
    """Detach what a model has kept of the last batch of a loop that has run."""
    for (path, name), _ in list(_with_graphs(model)):
        _detach(model.get_submodule(path), name)


def _with_graphs(model: nn.Module) -> Iterator[tuple[tuple[str, str], Any]]:
    for path, module in model.named_modules():
        kept = vars(module).items()
        yield from (((path, name), value) for name, value in kept if name[0] != "_" and _has_graph(value))


def _has_graph(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_graph, value[:8]))
    return isinstance(value, Tensor) and value.grad_fn is not None


def _detach(module: nn.Module, name: str) -> None:
    value = vars(module).get(name)
    if _has_graph(value):
        setattr(module, name, _detached(value))


def _detached(value: Any) -> Any:
    if type(value) in (tuple, list):
        return type(value)(map(_detached, value))
    return value.detach() if isinstance(value, Tensor) else value
