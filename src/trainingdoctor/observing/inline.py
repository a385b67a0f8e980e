"""Statements of a loop that set the learning rate of an epoch, in place of a function."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from trainingdoctor.observing.by_hand import is_rate, writes_rate

# What sets the rate of an epoch, a name for people ("" for its place), the optimizer, and the line.
Found = tuple[Callable[[int], object], str, Optimizer, int]
# All that they may be made of, so that running them once more does nothing else.
ALLOWED = (
    *(ast.Assign, ast.AugAssign, ast.If, ast.For, ast.Expr, ast.Pass, ast.Name, ast.Attribute, ast.Subscript, ast.Constant),
    *(ast.List, ast.Tuple, ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Call, ast.JoinedStr, ast.FormattedValue),
    *(ast.GeneratorExp, ast.ListComp, ast.comprehension),
    *(ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.keyword),
)  # fmt: skip
FUNCTIONS = ("abs", "float", "int", "len", "max", "min", "print", "range", "round", "sum", "enumerate")
MODULES = ("math", "numpy")


def inline(body: Sequence[ast.stmt], names: Mapping[str, Any], counter: str) -> Found | None:
    """The statements of a body that set rates, with what they are computed from; None where they do anything else, or stand apart."""
    setting = [s for s in body if isinstance(s, ast.Assign | ast.AugAssign | ast.If | ast.For) and writes_rate(s)]
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
    """A builtin that does nothing but compute, or something of math or NumPy."""
    if isinstance(function, ast.Name):
        return function.id in FUNCTIONS and names.get(function.id, getattr(builtins, function.id)) is getattr(
            builtins, function.id
        )
    owner = (
        names.get(function.value.id)
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
        else None
    )
    return isinstance(owner, types.ModuleType) and owner.__name__ in MODULES
