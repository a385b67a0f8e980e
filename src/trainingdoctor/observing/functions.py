"""A loss that is a function of the user's own, found in the source around backward() and proven by its value."""

from __future__ import annotations

import ast
import inspect
import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.measure.batches import tensors
from trainingdoctor.observing.epochs import value_of
from trainingdoctor.observing.places import syntax


@dataclass(frozen=True)
class LossCall:
    """A function, and the arguments that it was called with."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def loss_call(frame: FrameType | None, loss: Tensor, output: Any) -> LossCall | None:
    """The call that gave `loss`, in the statement that assigned what backward() is called on.

    frame: of the user's, at the line of backward().  output: of the model, or of its newest two calls; one argument must be it, or a part of it. The
    function is called once more, without gradients, and taken only where the same value comes out. None where none is found.
    """
    if frame is None:
        return None
    names = {**frame.f_globals, **frame.f_locals}
    made = {id(t) for t in tensors(output)}
    for node in _calls(frame):
        function = value_of(node.func, names) or _method(node.func, names)
        args = tuple(_value(a, names, output) for a in node.args)
        kwargs = {k.arg: _value(k.value, names, output) for k in node.keywords if k.arg is not None}
        given = {id(t) for t in tensors((*args, *kwargs.values()))}
        if callable(function) and given & made and _gives(function, args, kwargs, float(loss.detach())):
            return LossCall(function, args, kwargs)
    return None


def _value(node: ast.expr, names: Mapping[str, Any], output: Any) -> Any:
    """Of an argument. What is called there may have been the model: the loss that comes out proves it."""
    newest = output[0] if isinstance(output, tuple) and len(output) == 2 else output
    return newest if isinstance(node, ast.Call) else value_of(node, names)


def _method(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """A method of the user's own class, bound; None for all else."""
    if not isinstance(node, ast.Attribute):
        return None
    owner = value_of(node.value, names)
    function = inspect.getattr_static(type(owner), node.attr, None)
    return types.MethodType(function, owner) if isinstance(function, types.FunctionType) else None


def _calls(frame: FrameType) -> Iterator[ast.Call]:
    """Calls in the last assignment before this line to a name that the line uses."""
    tree = syntax(frame.f_code.co_filename)
    if tree is None:
        return
    first, line = frame.f_code.co_firstlineno, frame.f_lineno
    here = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Expr | ast.Assign | ast.Return) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    used = {n.id for statement in here for n in ast.walk(statement) if isinstance(n, ast.Name)}
    before = [n for n in ast.walk(tree) if isinstance(n, ast.Assign) and first <= n.lineno < line]
    mine = [n for n in before if any(isinstance(t, ast.Name) and t.id in used for t in n.targets)]
    for assignment in sorted(mine, key=lambda n: -n.lineno)[:2]:
        yield from (n for n in ast.walk(assignment.value) if isinstance(n, ast.Call))


def _gives(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], loss: float) -> bool:
    state = torch.get_rng_state()
    try:
        with torch.no_grad():
            value = function(*args, **kwargs)
        same = isinstance(value, Tensor) and value.numel() == 1 and math.isclose(float(value), loss, rel_tol=1e-4)
    except Exception:  # noqa: BLE001 - whatever the user's function raises: then it is not the one
        return False
    finally:
        torch.set_rng_state(state)
    return same
