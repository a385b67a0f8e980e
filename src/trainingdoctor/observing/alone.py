"""Models that the user's modules give without arguments, for a script that did not come to its own."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from torch import nn

from trainingdoctor.observing.limits import Enough
from trainingdoctor.observing.loops import names_in, trains
from trainingdoctor.observing.places import is_users


@dataclass(frozen=True)
class ModelAlone:
    """call: what was called, as `resnet.resnet20()`."""

    model: nn.Module
    call: str


def model_alone(names: Mapping[str, Any]) -> ModelAlone | None:
    """The model of the first class or function that gives one: those that the script's text names before others, and parts of
    other models last. names: of the script's module, with what it imported."""
    text = _text(str(names.get("__file__", "")))
    owned = list(_owned(names))
    makers = [made for made in owned if _needs_nothing(made)]
    inner = {name for made in owned for name in _used_in(made)}

    def last(maker: Callable[[], Any]) -> tuple[bool, bool]:
        return maker.__name__ in inner, re.search(rf"\b{re.escape(maker.__name__)}\b", text) is None

    for maker in sorted(makers, key=last):
        with suppress(Exception, SystemExit, Enough):
            made = maker()
            if isinstance(made, nn.Module) and next(made.parameters(), None) is not None:
                return ModelAlone(made, f"{maker.__module__}.{maker.__name__}()".removeprefix("__main__."))
    return None


def _text(file: str) -> str:
    with suppress(OSError):
        return Path(file).read_text(errors="replace")
    return ""


def _owned(names: Mapping[str, Any]) -> Iterator[Callable[..., Any]]:
    """Classes of models, and functions that give one, of the user's modules; each once, as they stand there."""
    known: set[int] = set()
    for name, value in names.items():
        inside = vars(value).values() if isinstance(value, ModuleType) and not name.startswith("__") else (value,)
        for made in list(inside):
            if id(made) not in known and _is_users_own(made):
                known.add(id(made))
                yield made


def _is_users_own(made: Any) -> bool:
    if isinstance(made, type):
        module = sys.modules.get(made.__module__)
        return issubclass(made, nn.Module) and is_users(getattr(module, "__file__", None) or "<none>")
    return isinstance(made, FunctionType) and is_users(made.__code__.co_filename) and _gives_model(made)


def _needs_nothing(made: Callable[..., Any]) -> bool:
    try:
        inspect.signature(made).bind()
    except (TypeError, ValueError):
        return False
    return True


def _gives_model(function: FunctionType) -> bool:
    """Whether it calls a class of models, and ends by giving something; not where it goes through a loop, or trains."""
    classes = (function.__globals__.get(name) for name in names_in(function.__code__))
    if not any(isinstance(c, type) and issubclass(c, nn.Module) for c in classes) or trains(function):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return False
    body = getattr(tree.body[0], "body", [None])
    return isinstance(body[-1], ast.Return) and not any(isinstance(n, ast.For | ast.While) for n in ast.walk(tree))


def _used_in(maker: Any) -> Iterator[str]:
    """Names that a class's methods, or those of a function, use."""
    functions = [v for v in vars(maker).values() if isinstance(v, FunctionType)] if isinstance(maker, type) else ()
    for function in functions:
        yield from names_in(function.__code__)
