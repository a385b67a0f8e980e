"""Hooks that are there for one block."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.utils.hooks import RemovableHandle


@contextmanager
def attached(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Take the hooks away at the end of the block, whatever happens in it."""
    there = list(handles)
    try:
        yield
    finally:
        for handle in there:
            handle.remove()


def leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that hold no others, with their names."""
    return ((name, module) for name, module in model.named_modules() if next(module.children(), None) is None)
