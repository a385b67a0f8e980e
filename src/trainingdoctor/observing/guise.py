"""A class that reports take for another one: of its name, and called with its parameters."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any, TypeVar

from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def in_guise(base: type[Model], name: str, like: type[nn.Module]) -> type[Model]:
    """A class of that name whose forward() is the base's, with the parameters of `like`'s: a batch that is a dictionary is given by
    their names, and reports name a model by its class.
    """

    def forward(self: Model, *args: Any, **kwargs: Any) -> Any:
        return base.forward(self, *args, **kwargs)

    with suppress(TypeError, ValueError):
        forward.__signature__ = inspect.signature(like.forward)  # type: ignore[attr-defined]
    return type(name, (base,), {"forward": forward})
