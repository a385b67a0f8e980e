"""What sets the learning rate of each epoch in a loop without a scheduler: a function of the user's own, or the loop itself."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from torch.optim import Optimizer

from trainingdoctor.observing.definitions import definition_of, function_of, sets_rate
from trainingdoctor.observing.epochs import range_of, value_of
from trainingdoctor.observing.inline import Found, inline
from trainingdoctor.observing.places import is_users, loops_around

# Longer runs are not replayed.
MOST = 10_000


@dataclass(frozen=True)
class Setter:
    """A call such as `adjust_learning_rate(optimizer, epoch, args)` in the loop over epochs, or statements that stand there in its place.

    set: sets the rates of an epoch.  epochs: their numbers.  ahead: it stands behind the pass through the data, and is for the next one.
    rates: of the groups when it was seen.  file, where: of the user's, and file:line.
    """

    set: Callable[[int], object]
    name: str
    epochs: range
    optimizer: Optimizer
    ahead: bool
    rates: tuple[float, ...]
    file: str
    where: str


def rate_setter(frame: FrameType | None) -> Setter | None:
    """The call that sets the rate of an epoch, in the loop over epochs that is under way or in a function that this calls.

    frame: the innermost one. Only statements that each epoch runs are taken. None where there is no such call, or what it is given cannot be
    read without calling something.
    """
    inner: list[FrameType] = []
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            for loop in loops_around(frame):
                if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) and "ep" in loop.target.id.lower():
                    return _in_loop(loop, frame, inner)
            inner.append(frame)
        frame = frame.f_back
    return None


def _in_loop(loop: ast.For, frame: FrameType, inner: Sequence[FrameType]) -> Setter | None:
    names = {**frame.f_globals, **frame.f_locals}
    counter = loop.target.id if isinstance(loop.target, ast.Name) else ""
    epochs, now = range_of(loop.iter, names), names.get(counter)
    if epochs is None or len(epochs) > MOST or now not in epochs:
        return None
    bodies = [(loop.body, frame, counter)]
    for called in inner:
        # What the loop hands on keeps its value, whatever it is called there; other counts may have that value, too.
        mine = [n for n, v in called.f_locals.items() if type(v) is int and v == now and "ep" in n.lower()]
        bodies += [(_body(called), called, mine[0])] if mine else []
    found = (_setter(body, f, name, epochs) for body, f, name in bodies)
    return next((s for s in found if s is not None), None)


def _body(frame: FrameType) -> list[ast.stmt]:
    """Of the function that a frame runs."""
    found = definition_of(frame.f_code)
    return [] if found is None else found.body


def _setter(body: Sequence[ast.stmt], frame: FrameType, counter: str, epochs: range) -> Setter | None:
    names, file = {**frame.f_globals, **frame.f_locals}, frame.f_code.co_filename
    found = next((f for s in body if (f := _called(s, names, counter)) is not None), None) or inline(
        body, names, counter
    )
    if found is None:
        return None
    step, name, optimizer, line = found
    where, rates = f"{Path(file).name}:{line}", tuple(float(g["lr"]) for g in optimizer.param_groups)
    return Setter(step, name or where, epochs, optimizer, line > frame.f_lineno, rates, file, where)


def _called(statement: ast.stmt, names: Mapping[str, Any], counter: str) -> Found | None:
    """A statement that calls a function which sets rates, and whose arguments can be read."""
    call = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
    function = function_of(call.func, names) if isinstance(call, ast.Call) else None
    if not isinstance(call, ast.Call) or function is None:
        return None
    own = definition_of(function.__code__)
    if own is None or not sets_rate(own, function.__globals__):
        return None
    given = [*call.args, *(k.value for k in call.keywords)]
    used = {n.id: names[n.id] for a in given for n in ast.walk(a) if isinstance(n, ast.Name) and n.id in names}
    optimizer = _optimizer(used, function)
    readable = all(k.arg for k in call.keywords) and all(value_of(a, used) is not None for a in given)
    if optimizer is None or not readable or (counter not in used and used):
        return None

    def step(epoch: int) -> object:
        known = {**used, counter: epoch}
        keywords = {str(k.arg): value_of(k.value, known) for k in call.keywords}
        return function(*(value_of(a, known) for a in call.args), **keywords)

    return step, f"{function.__name__}()", optimizer, call.lineno


def _optimizer(used: Mapping[str, Any], function: Callable[..., Any]) -> Optimizer | None:
    """The only one that it is given, that its object holds, or that it knows by a name of its module."""
    holder = getattr(function, "__self__", None)
    read = [function.__globals__.get(name) for name in function.__code__.co_names]
    for known in (used.values(), getattr(holder, "__dict__", {}).values(), read):
        found = {id(v): v for v in known if isinstance(v, Optimizer)}
        if found:
            return next(iter(found.values())) if len(found) == 1 else None
    return None
