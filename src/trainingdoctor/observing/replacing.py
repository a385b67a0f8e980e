"""Functions of libraries, replaced for the time of a block."""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any


def replaced(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    """Put `value` in the place of `owner.name` until the stack closes."""
    # As it stands in a class: a static method comes back as one.
    held = vars(owner).get(name) if isinstance(owner, type) else None
    stack.callback(setattr, owner, name, getattr(owner, name) if held is None else held)
    setattr(owner, name, value)


def wrap(stack: ExitStack, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Call `around(original, ...)` in place of `owner.name` until the stack closes."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    replaced(stack, owner, name, wrapped)
