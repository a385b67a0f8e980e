"""Whether a function or a file of the user's trains, as its source says: before it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from trainingdoctor.loading.kind import methods_called, parsed, starts_library
from trainingdoctor.observing.places import is_users


def trains(function: Any) -> bool:
    """Whether it calls backward(), itself or through other functions and classes of the user's that it names."""
    waiting, known = [function], set[int]()
    while waiting:
        one = waiting.pop()
        one = one.__func__ if isinstance(one, MethodType) else one
        if not isinstance(one, FunctionType) or id(one) in known or not is_users(one.__code__.co_filename):
            continue
        known.add(id(one))
        names = set(names_in(one.__code__))
        if "backward" in names:
            return True
        waiting += _named(one, names)
    return False


def names_in(code: CodeType) -> Iterator[str]:
    """Of globals and attributes, in the functions within, too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def _named(function: FunctionType, names: set[str]) -> Iterator[Any]:
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType) and is_users(getattr(value, "__file__", None) or "<built-in>"):
            yield from (vars(value).get(inner) for inner in names)
        elif isinstance(value, type):
            yield from vars(value).values()
        else:
            yield value


def file_trains(file: Path) -> bool:
    """Whether a script, or a module beside it that it imports, calls backward() or the loop of a library."""
    waiting, known = [file.resolve()], set[Path]()
    while waiting:
        one = waiting.pop()
        if one in known or not one.is_file():
            continue
        known.add(one)
        tree = parsed(one)
        if tree is None:
            continue
        calls, imported = methods_called(tree), set(_imported(tree))
        if "backward" in calls or starts_library(calls, {name.partition(".")[0] for name in imported}):
            return True
        waiting += [p for name in imported for p in _beside(file.resolve().parent, name)]
    return False


def _imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names; of `from a import b` both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def _beside(folder: Path, name: str) -> list[Path]:
    place = folder.joinpath(*name.split("."))
    return [place.with_name(f"{place.name}.py"), place / "__init__.py"] if name else []
