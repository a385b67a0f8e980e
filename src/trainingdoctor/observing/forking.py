"""Children of os.fork(): what trains there is gone through here, where it is watched."""

from __future__ import annotations

import ast
import copy
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from trainingdoctor.observing.loops import trains
from trainingdoctor.observing.places import is_users, syntax, users_place
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.replacing import wrap

PLAIN = (ast.Expression, ast.Compare, ast.UnaryOp, ast.Not, ast.Name, ast.Load, ast.Constant, ast.cmpop)


@contextmanager
def children_followed(recorder: Recorder) -> Iterator[None]:
    """Inside the block the first os.fork() whose child trains gives 0, and os._exit() then ends the script, not the process.

    Other calls of os.fork() are noted in `recorder.forked`, and made.
    """
    followed = False

    def fork(original: Callable[[], int]) -> int:
        nonlocal followed
        frame = sys._getframe(2)
        if not is_users(frame.f_code.co_filename):
            return original()
        if not followed and _child_trains(frame):
            followed = True
            return 0
        recorder.forked = recorder.forked or users_place(3)
        return original()

    def leave(original: Callable[[int], object], status: int) -> None:
        if not followed or not is_users(sys._getframe(2).f_code.co_filename):
            original(status)
        # What it hides by leaving in a `finally` or an `except`, and else as sys.exit() does.
        raise sys.exc_info()[1] or SystemExit(status)

    with ExitStack() as stack:
        wrap(stack, os, "fork", fork)
        wrap(stack, os, "_exit", leave)
        yield


def _child_trains(frame: FrameType) -> bool:
    """Whether the statements that only a child comes to, after the fork that a frame is at, train."""
    names = {**frame.f_globals, **frame.f_locals}
    return any(_trains(node, names) for s in _childs(frame) for node in ast.walk(s))


def _trains(node: ast.AST, names: Mapping[str, Any]) -> bool:
    match node:
        case ast.Attribute(attr="backward"):
            return True
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            kind = names.get(owner)
            return trains(getattr(kind if isinstance(kind, type) else type(kind), name, None)) or trains(
                getattr(kind, "__dict__", {}).get(name)
            )
        case ast.Name(id=name):
            value = names.get(name)
            return trains(value) or (isinstance(value, type) and any(map(trains, vars(value).values())))
    return False


def _childs(frame: FrameType) -> Sequence[ast.stmt]:
    """Of `if os.fork() == 0:` or `pid = os.fork()` with an `if` of pid after it: the branch for 0; () where there is none."""
    tree, line = syntax(frame.f_code.co_filename), frame.f_lineno
    for body in () if tree is None else _bodies(tree):
        for i, statement in enumerate(body):
            if statement.lineno == line and isinstance(statement, ast.If):
                return _branch(statement, body[i + 1 :], "")
            if statement.lineno == line and isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                name = ast.unparse(statement.targets[0])
                following = [j for j in range(i + 1, len(body)) if _asks(body[j], name)]
                return _branch(body[following[0]], body[following[0] + 1 :], name) if following else ()
    return ()


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _asks(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(n, ast.Name) and n.id == name for n in ast.walk(statement.test)
    )


def _branch(statement: ast.stmt, after: Sequence[ast.stmt], name: str) -> Sequence[ast.stmt]:
    """Of an `if`, what runs where the fork gave 0; what comes after where that is an `else` that is not there."""
    assert isinstance(statement, ast.If)
    test = ast.fix_missing_locations(ast.Expression(_Zero().visit(copy.deepcopy(statement.test))))
    if not all(isinstance(n, PLAIN) for n in ast.walk(test)):
        return ()
    try:
        holds = eval(compile(test, "<test>", "eval"), {"__builtins__": {}, name: 0})
    except (NameError, TypeError):
        return ()
    return statement.body if holds else statement.orelse or after


class _Zero(ast.NodeTransformer):
    """Puts 0 for os.fork()."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.copy_location(ast.Constant(0), node) if ast.unparse(node.func).endswith("fork") else node
