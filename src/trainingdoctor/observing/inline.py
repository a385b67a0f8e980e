"""Statements of a loop that set the learning rate of an epoch, in place of a function."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from trainingdoctor.observing.by_hand import is_rate
from trainingdoctor.observing.definitions import definition_of, function_of, sets_rate
from trainingdoctor.observing.epochs import value_of

# What sets the rate of an epoch, a name for people ("" for its place), the optimizer, and the line.
Found = tuple[Callable[[int], object], str, Optimizer, int]
# All that they may be made of, so that running them once more does nothing else.
ALLOWED = (
    *(ast.Assign, ast.AugAssign, ast.If, ast.For, ast.Expr, ast.Pass, ast.Name, ast.Attribute, ast.Subscript, ast.Constant),
    *(ast.List, ast.Tuple, ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Call, ast.JoinedStr, ast.FormattedValue),
    *(ast.GeneratorExp, ast.ListComp, ast.comprehension, ast.Return),
    *(ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.keyword),
)  # fmt: skip
SETTING = (ast.Assign, ast.AugAssign, ast.If, ast.For, ast.Expr)
FUNCTIONS = ("abs", "float", "int", "len", "max", "min", "print", "range", "round", "sum", "enumerate")
MODULES = ("math", "numpy")


def inline(body: Sequence[ast.stmt], names: Mapping[str, Any], counter: str) -> Found | None:
    """The statements of a body that set rates, with what they are computed from; None where they do anything else, or stand apart."""
    setting = [s for s in body if isinstance(s, SETTING) and sets_rate(s, names)]
    if not setting:
        return None
    before = body[: body.index(setting[0])]
    chosen = [*_needed(before, setting), *setting]
    # Between them nothing else may stand: a pass through the data would divide the epoch's rate from the next one's.
    together = body.index(setting[-1]) - body.index(setting[0]) == len(setting) - 1
    read = {n.id for s in chosen for n in ast.walk(s) if isinstance(n, ast.Name)}
    optimizers = {id(names[n]): names[n] for n in read if isinstance(names.get(n), Optimizer)}
    if not together or not all(_is_plain(s, names) for s in chosen) or len(optimizers) != 1 or counter not in read:
        return None
    code = compile(ast.Module([*chosen], []), "<the loop>", "exec")
    known = {n: names[n] for n in read if n in names}

    def step(epoch: int) -> None:
        known[counter] = epoch
        exec(code, known)

    return step, "", next(iter(optimizers.values())), setting[0].lineno


def _needed(before: Sequence[ast.stmt], setting: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements right before that give values to names which the others read."""
    chosen: list[ast.stmt] = []
    for statement in reversed(before):
        read = {n.id for s in (*setting, *chosen) for n in ast.walk(s) if isinstance(n, ast.Name)}
        given = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        if not isinstance(statement, ast.Assign | ast.AugAssign | ast.If) or not given & read:
            break
        chosen.insert(0, statement)
    return chosen


def _is_plain(statement: ast.stmt, names: Mapping[str, Any]) -> bool:
    """Whether it computes, and writes to names and rates alone."""
    return all(
        isinstance(n, ALLOWED)
        and (not isinstance(n, ast.Call) or _only_computes(n.func, names))
        and (not isinstance(n, ast.Attribute | ast.Subscript) or isinstance(n.ctx, ast.Load) or is_rate(n))
        for n in ast.walk(statement)
    )


def _only_computes(function: ast.expr, names: Mapping[str, Any]) -> bool:
    """A builtin that does nothing but compute, something of math or NumPy, or a function of the user's that is plain itself."""
    if isinstance(function, ast.Name) and function.id in FUNCTIONS:
        own = getattr(builtins, function.id)
        return names.get(function.id, own) is own
    owner = value_of(function.value, names) if isinstance(function, ast.Attribute) else None
    if isinstance(owner, types.ModuleType) and owner.__name__ in MODULES:
        return True
    users = function_of(function, names)
    own = definition_of(users.__code__) if isinstance(users, types.FunctionType) else None
    # Not of functions that call others of the user's: these may call one another.
    return (
        own is not None and users is not None and all(_is_plain(s, _without_users(users.__globals__)) for s in own.body)
    )


def _without_users(names: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in names.items() if not isinstance(v, types.FunctionType)}
