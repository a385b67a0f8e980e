"""Functions of libraries, replaced for the time of a block."""

from contextlib import ExitStack
from typing import Any


def replaced(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    """Put `value` in the place of `owner.name` until the stack closes."""
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)
