"""The user's functions that a call names, and where they are defined."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Mapping
from typing import Any

from trainingdoctor.observing.by_hand import writes_rate
from trainingdoctor.observing.epochs import value_of
from trainingdoctor.observing.places import is_users, syntax


def function_of(node: ast.expr, names: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The user's function or method that is called; None for what else can be called."""
    found = value_of(node, names)
    if found is None and isinstance(node, ast.Attribute):
        owner = value_of(node.value, names)
        method = next((vars(k).get(node.attr) for k in type(owner).__mro__ if node.attr in vars(k)), None)
        found = types.MethodType(method, owner) if isinstance(method, types.FunctionType) else None
    plain = isinstance(found, types.FunctionType | types.MethodType)
    return found if plain and is_users(found.__code__.co_filename) else None


def definition_of(code: types.CodeType) -> ast.FunctionDef | None:
    """The statement that defines a function of the user's; None where its source cannot be read."""
    tree = syntax(code.co_filename)
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)) if tree is not None else ()
    first = code.co_firstlineno
    named = (f for f in functions if f.name == code.co_name)
    return next((f for f in named if min([f.lineno, *(d.lineno for d in f.decorator_list)]) == first), None)


def sets_rate(tree: ast.AST, names: Mapping[str, Any]) -> bool:
    """Whether a statement or a function writes a learning rate, or calls a function of the user's that does. names: that it knows."""
    if writes_rate(tree):
        return True
    called = (function_of(n.func, names) for n in ast.walk(tree) if isinstance(n, ast.Call))
    known = (definition_of(f.__code__) for f in called if isinstance(f, types.FunctionType))
    return any(d is not None and writes_rate(d) for d in known)
