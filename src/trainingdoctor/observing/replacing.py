"""Functions of libraries, replaced for the time of a block."""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any


def replaced(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    """Put `value` in the place of `owner.name` until the stack closes."""
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def wrap(stack: ExitStack, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Call `around(original, ...)` in place of `owner.name` until the stack closes."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    replaced(stack, owner, name, wrapped)
