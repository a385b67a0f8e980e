"""Learning rates that the user's own code writes, instead of a scheduler of torch, and schedulers that it steps later on only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainingdoctor.observing.places import is_users, syntax

if TYPE_CHECKING:
    from trainingdoctor.observing.watch import OptimizerWatch

# Longer files are data, not training loops.
LONGEST = 500_000
# What a loop counts.
COUNTED = ("epoch", "step", "iter")


def rates_set_elsewhere(script: Path, watched: Sequence[OptimizerWatch]) -> str:
    """What sets the learning rates of a loop that has no scheduler of torch, for people; "" where nothing does."""
    if place := rate_written_at(script):
        return f"the loop sets the learning rate by hand ({place})"
    if place := rebuilt_at(script, watched):
        return f"the optimizer is built anew with other rates in a loop ({place})"
    if any("initial_lr" in group for watch in watched for group in watch.optimizer.param_groups):
        return "a scheduler that is not of torch, as timm's, sets the learning rate"
    if any(len({step.rate for step in watch.steps}) > 1 for watch in watched):
        return "the loop changes the learning rate from step to step"
    return ""


def rate_written_at(script: Path, surely: bool = False) -> str:
    """`file:line` where a loaded file of the user's assigns to `...["lr"]` or updates a group's; "" where none does.

    surely: to that of an optimizer's `param_groups`; else it may be what a script notes down. A function of a module whose name is
    used nowhere sets nothing.
    """
    trees = list(_trees(script))
    used = frozenset(name for _, tree in trees for name in _used(tree))
    for file, tree in trees:
        groups = _groups(tree) if surely else None
        for node in _live(tree, used):
            if isinstance(node, ast.Call) and _updates_rate(node):
                return f"{Path(file).name}:{node.lineno}"
            if isinstance(node, ast.Assign | ast.AugAssign) and any(is_rate(t, groups) for t in _targets(node)):
                return f"{Path(file).name}:{node.lineno}"
    return ""


def rebuilt_at(script: Path, watched: Sequence[OptimizerWatch]) -> str:
    """`file:line` where an optimizer that was watched is built in a loop that changes its rate's variable; "" where none is."""
    built = {watch.where for watch in watched}
    for file, tree in _trees(script):
        for loop in (n for n in ast.walk(tree) if isinstance(n, ast.For | ast.While)):
            changed = {name for node in ast.walk(loop) for name in _assigned(node)}
            for call in _calls(loop.body):
                place = f"{Path(file).name}:{call.lineno}"
                rates = [k.value for k in call.keywords if k.arg == "lr"] or call.args[1:2]
                named = {n.id for rate in rates for n in ast.walk(rate) if isinstance(n, ast.Name)}
                if place in built and named & changed:
                    return place
    return ""


def _assigned(node: ast.AST) -> set[str]:
    """Names that a statement gives another value, a loop's own variable among them."""
    if isinstance(node, ast.Assign):
        targets: list[ast.expr] = node.targets
    elif isinstance(node, ast.AugAssign | ast.For):
        targets = [node.target]
    else:
        return set()
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def stepped_later(script: Path) -> str:
    """`if epoch >= 10 (file:line)`, where a scheduler's step() stands under such a condition; "" where none does."""
    for file, tree in _trees(script):
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and _counts(node.test) and any(map(_steps_scheduler, _calls(node.body))):
                return f"if {ast.unparse(node.test)} ({Path(file).name}:{node.lineno})"
    return ""


def _used(tree: ast.Module) -> Iterator[str]:
    """Every name that is read, called or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _live(tree: ast.Module, used: frozenset[str]) -> Iterator[ast.AST]:
    """The nodes of a file but for its functions, not those of classes, that nobody names."""
    for statement in tree.body:
        unused = isinstance(statement, ast.FunctionDef) and statement.name not in used and not statement.decorator_list
        if not unused:
            yield from ast.walk(statement)


def _trees(script: Path) -> Iterator[tuple[str, ast.Module]]:
    for file in dict.fromkeys((str(script), *_loaded())):
        tree = syntax(file) if Path(file).is_file() and Path(file).stat().st_size <= LONGEST else None
        if tree is not None:
            yield file, tree


def _loaded() -> Iterator[str]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and is_users(file):
            yield file


def _groups(tree: ast.Module) -> frozenset[str]:
    """Names of what loops go through an optimizer's parameter groups with."""
    loops = (n for n in ast.walk(tree) if isinstance(n, ast.For) and "param_groups" in ast.unparse(n.iter))
    return frozenset(n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name))


def writes_rate(tree: ast.AST) -> bool:
    """Whether anything in it assigns to `...["lr"]`, or updates a group's."""
    return any(
        _updates_rate(n) if isinstance(n, ast.Call) else any(is_rate(t) for t in _targets(n))
        for n in ast.walk(tree)
        if isinstance(n, ast.Call | ast.Assign | ast.AugAssign)
    )


def _targets(node: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def is_rate(target: ast.expr, groups: frozenset[str] | None = None) -> bool:
    """Whether a target is `...["lr"]`. groups: names of what an optimizer's groups are gone through with; None for any owner."""
    if not (
        isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value == "lr"
    ):
        return False
    owner = ast.unparse(target.value)
    return groups is None or "param_groups" in owner or owner in groups


def _updates_rate(call: ast.Call) -> bool:
    """param_groups[0].update(lr=...), or of a dictionary that has "lr"."""
    function = call.func
    if (
        not isinstance(function, ast.Attribute)
        or function.attr != "update"
        or "group" not in ast.unparse(function.value)
    ):
        return False
    keys = [key for given in call.args if isinstance(given, ast.Dict) for key in given.keys]
    named = [key.value for key in keys if isinstance(key, ast.Constant)]
    return "lr" in (*named, *(keyword.arg for keyword in call.keywords))


def _counts(test: ast.expr) -> bool:
    """Whether a condition compares what a loop counts with something."""
    compared = (c for c in ast.walk(test) if isinstance(c, ast.Compare))
    return any(word in ast.unparse(c).lower() for c in compared for word in COUNTED)


def _calls(statements: list[ast.stmt]) -> Iterator[ast.Call]:
    return (n for s in statements for n in ast.walk(s) if isinstance(n, ast.Call))


def _steps_scheduler(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "step"
        and "sched" in ast.unparse(function.value).lower()
    )
