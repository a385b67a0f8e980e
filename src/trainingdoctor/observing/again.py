"""Trainings of a script that come after the one that is watched: the models of a notebook, one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from trainingdoctor.observing.places import is_users, loops_around, syntax

NOTE = "only the first training was watched; it trains again at {}"
# Places that are named.
MOST = 4


def trains_again(frame: FrameType | None, epoch_loop: str) -> tuple[str, ...]:
    """`file:line` of each later call of a function that is under way now, and of each later loop that calls backward().

    epoch_loop: `file:line`; looked at is its function and what called that. Where it is a library's, "", all that call `fit` or
    `train` are. A call within a loop counts where the later one is in a loop, too: what trains and tests by turns may be
    called once more, to test.
    """
    found: list[str] = []
    inner, begun = "", not epoch_loop
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            begun = begun or epoch_loop in _loops_at(frame)
            found += _behind(frame, inner if epoch_loop else "") if begun else ()
        inner, frame = frame.f_code.co_name, frame.f_back
    return tuple(dict.fromkeys(found))


def _loops_at(frame: FrameType) -> list[str]:
    file = Path(frame.f_code.co_filename).name
    return [f"{file}:{n.lineno}" for n in loops_around(frame)]


def note_of(places: tuple[str, ...]) -> str:
    """What the user is told."""
    left_out = len(places) - MOST
    return NOTE.format(", ".join(places[:MOST]) + (f" and {left_out} more" if left_out > 0 else ""))


def _behind(frame: FrameType, inner: str) -> Iterator[str]:
    """inner: the name of the function that this one has called; "" for those that libraries train with."""
    body, line = _statements(frame), frame.f_lineno
    now = next((s for s in body if s.lineno <= line <= (s.end_lineno or 0)), None)
    if now is None:
        return
    under_way = {_name(c) for c in _calls(now) if c.lineno <= line <= (c.end_lineno or 0)}
    names = under_way & ({inner} if inner else {"fit", "train"})
    looped = isinstance(now, ast.For | ast.While)
    for later in body[body.index(now) + 1 :]:
        parts = [n for n in ast.walk(later) if isinstance(n, ast.For | ast.While)] if looped else [later]
        again = names | {"backward"} if looped else names
        call = next((c for part in parts for c in _calls(part) if _name(c) in again), None)
        if call is not None and not isinstance(later, ast.FunctionDef | ast.ClassDef):
            yield f"{Path(frame.f_code.co_filename).name}:{call.lineno}"


def _statements(frame: FrameType) -> list[ast.stmt]:
    """Of the function or module that the frame runs, those of `if` and `with` opened."""
    tree = syntax(frame.f_code.co_filename)
    if tree is None:
        return []
    own = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef)
        and n.name == frame.f_code.co_name
        and n.lineno <= frame.f_lineno <= (n.end_lineno or 0)
    ]
    return list(_opened(own[-1].body if own else tree.body))


def _opened(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.With):
            yield from _opened(statement.body)
        else:
            yield statement


def _calls(node: ast.AST) -> list[ast.Call]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Call)]


def _name(call: ast.Call) -> str:
    """Of the function, or the last part of it."""
    function = call.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
