"""How many epochs a loop plans, read from the loops around the place where it stands."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from trainingdoctor.observing.places import is_users, loops_around

MOST = 100_000
# Libraries whose Trainer runs the epochs.
TRAINERS = ("lightning", "pytorch_lightning", "transformers", "ignite")


@dataclass(frozen=True)
class EpochLoop:
    """count: of its passes.  where: file:line of its head."""

    count: int
    where: str


def epoch_loop(frame: FrameType | None) -> EpochLoop | None:
    """The outermost `for ... in range(...)` (or tqdm of it, or `while epoch < n`) that is under way.

    frame: the innermost one. Only names, attributes, items and arithmetic are looked up: nothing is called. Where a library
    runs the epochs, what its trainer plans. None where neither is found, or a loop over epochs whose count cannot be read.
    """
    found: list[tuple[str, EpochLoop | None]] = []
    trainer: EpochLoop | None = None
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            found += _loops(frame)
        else:
            trainer = trainer or _trainers_plan(frame)
        frame = frame.f_back
    named = [loop for name, loop in found if "epoch" in name.lower()]
    counted = [loop for _, loop in found if loop is not None]
    return named[0] if named else counted[-1] if counted else trainer


def _trainers_plan(frame: FrameType) -> EpochLoop | None:
    """What a trainer of Lightning (`max_epochs`), of Hugging Face (`args.num_train_epochs`) or of Ignite (`state.max_epochs`) says,
    whose method a frame is."""
    own = frame.f_locals.get("self")
    if not any(k.__name__ in ("Trainer", "Engine") and k.__module__.startswith(TRAINERS) for k in type(own).__mro__):
        return None
    places = (
        (own, "max_epochs"),
        (getattr(own, "args", None), "num_train_epochs"),
        (getattr(own, "state", None), "max_epochs"),
    )
    planned = next((n for owner, name in places if (n := getattr(owner, name, None))), None)
    known = isinstance(planned, int | float) and not isinstance(planned, bool) and 0 < planned <= MOST
    return EpochLoop(math.ceil(planned), "") if known and planned else None


def _loops(frame: FrameType) -> Iterator[tuple[str, EpochLoop | None]]:
    """The loops around the frame's line with the names of their variables, innermost first; None where no count can be read."""
    names = {**frame.f_globals, **frame.f_locals}
    file = Path(frame.f_code.co_filename).name
    own = [n for n in loops_around(frame) if n.lineno >= frame.f_code.co_firstlineno]
    for node in sorted(own, key=lambda n: -n.lineno):
        count = _counted(node.iter, names) if isinstance(node, ast.For) else _compared(node.test, names)
        known = count is not None and 0 < count <= MOST
        name = ast.unparse(node.target if isinstance(node, ast.For) else node.test)
        yield name, EpochLoop(count, f"{file}:{node.lineno}") if known and count else None


def range_of(node: ast.expr, names: Mapping[str, Any]) -> range | None:
    """What a loop goes through: `range(...)`, `trange(...)`, or one of these within tqdm and the like; None where it cannot be read."""
    if not isinstance(node, ast.Call):
        value = value_of(node, names)
        return value if isinstance(value, range) else None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in ("range", "trange"):
        return range_of(node.args[0], names) if node.args else None
    bounds = [value_of(a, names) for a in node.args]
    if not bounds or not all(isinstance(b, int) for b in bounds):
        return None
    return range(*bounds) if bounds[-1] != 0 or len(bounds) < 3 else None


def _counted(node: ast.expr, names: Mapping[str, Any]) -> int | None:
    found = range_of(node, names)
    return None if found is None else len(found)


def _compared(node: ast.expr, names: Mapping[str, Any]) -> int | None:
    """`while epoch < n` and `while epoch <= n`."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Lt | ast.LtE):
        return None
    value = value_of(node.comparators[0], names)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def value_of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What names, attributes, items and arithmetic come to; None for all else. Nothing is called."""
    value: Any = None
    match node:
        case ast.Constant(value=constant):
            value = constant
        case ast.Name(id=name):
            value = names.get(name)
        case ast.Attribute(value=inner, attr=name):
            value = getattr(value_of(inner, names), "__dict__", {}).get(name)
        case ast.Subscript(value=inner, slice=key):
            value = _item(value_of(inner, names), value_of(key, names))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(positive))):
            value = -positive
        case ast.BinOp(left=left, op=op, right=right):
            value = _arithmetic(op, value_of(left, names), value_of(right, names))
        case ast.Call(func=ast.Name(id="int"), args=[only]):
            inside = value_of(only, names)
            value = int(inside) if isinstance(inside, int | float) else None
    return value


def _item(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict):
        return holder.get(key)
    within = isinstance(holder, list | tuple) and type(key) is int and -len(holder) <= key < len(holder)
    return holder[key] if within else None


def _arithmetic(op: ast.operator, a: Any, b: Any) -> Any:
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return None
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.FloorDiv() if b:
            return a // b
    return None
