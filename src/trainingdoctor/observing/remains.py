"""What there is of a training whose script raised before its first step."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainingdoctor.loading.names import SYNONYMS
from trainingdoctor.observing.alone import model_alone
from trainingdoctor.observing.limits import Enough
from trainingdoctor.observing.places import is_users, syntax

# What is still built after the line that raised. A loss is a number more often than a function.
PARTS = ("model", "train_loader", "val_loader", "criterion", "optimizer", "scheduler")
WANTED = frozenset(name for part in PARTS for name in SYNONYMS[part]) - {"loss"}
KINDS = (nn.Module, Optimizer, LRScheduler)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Remains:
    """names: what they held where the script raised, outermost function first.  built: `file:line` of each line after the one
    that raised that was run nevertheless, because it builds a part of the training.  alone: what was called for the model, where
    only the modules that the script imports have one."""

    names: Mapping[str, Any]
    built: tuple[str, ...] = ()
    alone: str = ""


def remains_of(error: BaseException, names: Mapping[str, Any]) -> Remains:
    """Gather what the user's functions held, and build what the lines behind would have built, as far as these do not raise.

    names: of the script's module.
    """
    built: list[str] = []
    scopes = [_Scope(dict(names))]
    for frame, line in reversed(list(_frames(error))):
        scopes.insert(1, scope := _Scope(_held(frame)))
        body = _body(frame, line)
        built += scope.build(_rest(body, line), frame.f_code.co_filename)
    held = _merged(scopes)
    if not _has_model(held):
        file = str(names.get("__file__", ""))
        scopes.append(scope := _Scope(dict(held)))
        built += _elsewhere(scope, syntax(file), file)
    return _with_model(Remains(_merged(scopes), tuple(built)))


def remains_in(tree: ast.Module | None, names: dict[str, Any]) -> Remains:
    """Build what the lines of a script that is not run would have built. tree: None where it cannot be read."""
    file = str(names.get("__file__", ""))
    scope = _Scope(names)
    built = scope.build(tree.body if tree is not None else (), file)
    if not _has_model(scope.names):
        built += _elsewhere(scope, tree, file)
    return _with_model(Remains(scope.names, tuple(built)))


def _has_model(names: Mapping[str, Any]) -> bool:
    return any(isinstance(value, nn.Module) for value in names.values())


def _with_model(remains: Remains) -> Remains:
    """Where nothing built a model: one that the modules that were imported give without arguments."""
    alone = None if _has_model(remains.names) else model_alone(remains.names)
    return (
        remains if alone is None else replace(remains, names={**remains.names, "model": alone.model}, alone=alone.call)
    )


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """The user's functions that were under way, with the lines that they were at."""
    trace = error.__traceback__
    while trace is not None:
        if is_users(trace.tb_frame.f_code.co_filename):
            yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _held(frame: FrameType) -> dict[str, Any]:
    """Its names, on those of its module."""
    return {**frame.f_globals, **frame.f_locals}


def _merged(scopes: Sequence[_Scope]) -> dict[str, Any]:
    """All names and what a trainer's `self` holds; the first that is no None counts."""
    merged: dict[str, Any] = {}
    for scope in scopes:
        owner = scope.names.get("self")
        own = {} if isinstance(owner, nn.Module) else getattr(owner, "__dict__", {})
        for name, value in (*scope.names.items(), *own.items()):
            if merged.get(name) is None:
                merged[name] = value
    return merged


class _Scope:
    """Names, and what can still be built from them."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def build(self, statements: Sequence[ast.stmt], file: str) -> list[str]:
        """Run those that build a part that is not there yet, and the imports and definitions between. The lines of the former."""
        built = []
        for statement in statements:
            builds = _builds(statement, self.names)
            if builds or isinstance(statement, ast.Import | ast.ImportFrom | ast.ClassDef | Function):
                ran = self._run(statement, file)
                built += [f"{Path(file).name}:{statement.lineno}"] if builds and ran else []
        return built

    def _run(self, statement: ast.stmt, file: str) -> bool:
        try:
            exec(compile(ast.Module([statement], []), file, "exec", dont_inherit=True), self.names)
        except (Exception, SystemExit, Enough):  # noqa: BLE001 - it stands behind a line that raised: what it needs may not be there
            return False
        return True


def _builds(statement: ast.stmt, names: Mapping[str, Any]) -> bool:
    """Whether it does nothing but to call something for a part that is still missing, in one branch or several."""
    if isinstance(statement, ast.If):
        inner = [*statement.body, *statement.orelse]
        return any(_builds(s, names) for s in inner) and all(
            _builds(s, names) or isinstance(s, ast.Raise) for s in inner
        )
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    targets = [t for target in statement.targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    made = _named(statement.value.func, names)
    known = isinstance(made, type) and issubclass(made, KINDS)
    return all(
        _is_missing(t, names) or (known and isinstance(t, ast.Name) and names.get(t.id) is None) for t in targets
    )


def _named(expression: ast.expr, names: Mapping[str, Any]) -> Any:
    """What a dotted name stands for; None where it stands for nothing yet."""
    if isinstance(expression, ast.Attribute):
        return getattr(_named(expression.value, names), expression.attr, None)
    return names.get(expression.id) if isinstance(expression, ast.Name) else None


def _is_missing(target: ast.expr, names: Mapping[str, Any]) -> bool:
    if isinstance(target, ast.Name):
        return target.id.lower() in WANTED and names.get(target.id) is None
    own = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    return own and target.attr.lower() in WANTED and getattr(names.get("self"), target.attr, None) is None  # type: ignore[attr-defined]


def _body(frame: FrameType, line: int) -> Sequence[ast.stmt]:
    """The statements of the function that a frame runs."""
    tree = syntax(frame.f_code.co_filename)
    if tree is None or frame.f_code.co_name == "<module>":
        return tree.body if tree is not None else ()
    around = [n for n in ast.walk(tree) if isinstance(n, Function) and n.lineno <= line <= (n.end_lineno or 0)]
    return max(around, key=lambda n: n.lineno).body if around else ()


def _rest(body: Sequence[ast.stmt], line: int) -> list[ast.stmt]:
    """What comes after a line, in its own block and then in those around it."""
    for i, statement in enumerate(body):
        if statement.lineno <= line <= (statement.end_lineno or 0):
            blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
            inner = next((b for b in blocks if b and b[0].lineno <= line <= (b[-1].end_lineno or 0)), ())
            return [*_rest(inner, line), *body[i + 1 :]]
    return []


def _elsewhere(scope: _Scope, tree: ast.Module | None, file: str) -> list[str]:
    """Nothing was begun that builds a model: the first function of the script that builds one without needing arguments."""
    for function in ast.walk(tree) if tree is not None else ():
        if isinstance(function, Function):
            built = scope.build(function.body, file)
            if any(isinstance(value, nn.Module) for value in scope.names.values()):
                return built
    return []
