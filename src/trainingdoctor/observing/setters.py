"""A function of the user's own that sets the learning rate of each epoch: found in the loop, and called for the whole run."""

from __future__ import annotations

import ast
import contextlib
import io
import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from torch.optim import Optimizer

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.measure.simulation import momentum_of
from trainingdoctor.observing.by_hand import is_rate, updates_rate
from trainingdoctor.observing.epochs import value_of
from trainingdoctor.observing.limits import Clock
from trainingdoctor.observing.places import is_users, loops_around, syntax
from trainingdoctor.observing.seen import StepSeen

# Epochs that are replayed, and seconds for all of them.
MOST, SECONDS = 10_000, 2.0
# Rates that the loop was seen to have are met to that part.
SAME = 1e-3


@dataclass(frozen=True)
class Setter:
    """A call such as `adjust_learning_rate(optimizer, epoch, args)` in the loop over epochs.

    names: what its arguments are made of, without what counts the epochs.  counter: the name of that, and epochs: its values.
    ahead: the call stands behind the pass through the data, and is for the next one.  rates: of the groups when it was seen.
    where: file:line of the call.
    """

    function: Callable[..., Any]
    call: ast.Call
    names: Mapping[str, Any]
    counter: str
    epochs: range
    optimizer: Optimizer
    ahead: bool
    rates: tuple[float, ...]
    where: str

    @property
    def name(self) -> str:
        """Of the function, as a call."""
        return f"{self.function.__name__}()"


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
    epochs, now = _range(loop.iter, names), names.get(counter)
    if epochs is None or len(epochs) > MOST or now not in epochs:
        return None
    bodies = [(loop.body, frame, counter)]
    for called in inner:
        # What the loop's function hands on keeps its value, whatever it is called there.
        mine = [
            n for n, v in called.f_locals.items() if v is now or (type(v) is int and v == now and "ep" in n.lower())
        ]
        bodies += [(_body(called), called, mine[0])] if mine else []
    found = (_setter(body, f, name, epochs) for body, f, name in bodies)
    return next((s for s in found if s is not None), None)


def _range(node: ast.expr, names: Mapping[str, Any]) -> range | None:
    """Of `range(...)`, `trange(...)`, or one of these within tqdm and the like."""
    if not isinstance(node, ast.Call):
        value = value_of(node, names)
        return value if isinstance(value, range) else None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in ("range", "trange"):
        return _range(node.args[0], names) if node.args else None
    bounds = [value_of(a, names) for a in node.args]
    return range(*bounds) if bounds and all(type(b) is int for b in bounds) else None


def _body(frame: FrameType) -> list[ast.stmt]:
    """Of the function that a frame runs."""
    found = _definition(frame.f_code)
    return [] if found is None else found.body


def _definition(code: types.CodeType) -> ast.FunctionDef | None:
    tree = syntax(code.co_filename)
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)) if tree is not None else ()
    first = code.co_firstlineno
    named = (f for f in functions if f.name == code.co_name)
    return next((f for f in named if min([f.lineno, *(d.lineno for d in f.decorator_list)]) == first), None)


def _setter(body: Sequence[ast.stmt], frame: FrameType, counter: str, epochs: range) -> Setter | None:
    names = {**frame.f_globals, **frame.f_locals}
    for statement in body:
        call = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
        function = _function(call.func, names) if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or function is None or not _sets_rate(function):
            continue
        given = [*call.args, *(k.value for k in call.keywords)]
        used = {n.id: names[n.id] for a in given for n in ast.walk(a) if isinstance(n, ast.Name) and n.id in names}
        optimizer = _optimizer(used, function)
        readable = all(k.arg for k in call.keywords) and all(value_of(a, used) is not None for a in given)
        if optimizer is None or not readable or (counter not in used and used):
            continue
        rates = tuple(float(g["lr"]) for g in optimizer.param_groups)
        where = f"{Path(frame.f_code.co_filename).name}:{call.lineno}"
        used.pop(counter, None)
        return Setter(function, call, used, counter, epochs, optimizer, call.lineno > frame.f_lineno, rates, where)
    return None


def _function(node: ast.expr, names: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The user's function or method that is called; None for what else can be called."""
    found = value_of(node, names)
    if found is None and isinstance(node, ast.Attribute):
        owner = value_of(node.value, names)
        method = next((vars(k).get(node.attr) for k in type(owner).__mro__ if node.attr in vars(k)), None)
        found = types.MethodType(method, owner) if isinstance(method, types.FunctionType) else None
    plain = isinstance(found, types.FunctionType | types.MethodType)
    return found if plain and is_users(found.__code__.co_filename) else None


def _sets_rate(function: Callable[..., Any]) -> bool:
    """Whether its source assigns to a group's "lr", or that of a function of its module that it calls."""
    own = _definition(function.__code__)
    if own is None:
        return False
    called = {n.func.id for n in ast.walk(own) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    known = (function.__globals__.get(name) for name in called)
    others = [_definition(f.__code__) for f in known if isinstance(f, types.FunctionType)]
    return any(map(_writes, (own, *(o for o in others if o is not None))))


def _writes(function: ast.FunctionDef) -> bool:
    return any(
        updates_rate(n) if isinstance(n, ast.Call) else any(is_rate(t, None) for t in _targets(n))
        for n in ast.walk(function)
        if isinstance(n, ast.Call | ast.Assign | ast.AugAssign)
    )


def _targets(node: ast.Assign | ast.AugAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _optimizer(used: Mapping[str, Any], function: Callable[..., Any]) -> Optimizer | None:
    """The only one that it is given, that its object holds, or that it knows by a name of its module."""
    holder = getattr(function, "__self__", None)
    read = [function.__globals__.get(name) for name in function.__code__.co_names]
    for known in (used.values(), getattr(holder, "__dict__", {}).values(), read):
        found = {id(v): v for v in known if isinstance(v, Optimizer)}
        if found:
            return next(iter(found.values())) if len(found) == 1 else None
    return None


def replayed(setter: Setter) -> tuple[tuple[float, ...], ...] | None:
    """The groups' rates in each epoch, called for all of them; what it changes in the optimizer's groups is put back.

    None where it raises, takes too long, or gives what is no rate.
    """
    groups = setter.optimizer.param_groups
    before = [{k: v for k, v in g.items() if k != "params"} for g in groups]
    try:
        for group, rate in zip(groups, setter.rates, strict=True):
            group["lr"] = rate
        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with quiet[0], quiet[1], user_code(setter.name):
            rates = list(_called(setter))
    except UserCodeError:
        return None
    finally:
        for group, kept in zip(groups, before, strict=True):
            group.update(kept)
    known = [setter.rates, *rates[:-1]] if setter.ahead else rates
    whole = len(known) == len(setter.epochs) and all(math.isfinite(r) for row in known for r in row)
    return tuple(known) if whole else None


def _called(setter: Setter) -> Iterator[tuple[float, ...]]:
    clock = Clock()
    for epoch in setter.epochs:
        if clock.seconds > SECONDS:
            return
        names = {**setter.names, setter.counter: epoch}
        given = [value_of(a, names) for a in setter.call.args]
        setter.function(*given, **{str(k.arg): value_of(k.value, names) for k in setter.call.keywords})
        yield tuple(float(g["lr"]) for g in setter.optimizer.param_groups)


def schedule_of(setter: Setter, steps: Sequence[StepSeen], per_epoch: int | None) -> ScheduleTrace | None:
    """The rates of the whole run; None where they cannot be had, or are not those that the loop was seen to have.

    steps: of the setter's optimizer.  per_epoch: batches of an epoch.
    """
    rates = replayed(setter)
    if rates is None or not steps or not all(_is_as_seen(rates, step) for step in steps):
        return None
    group = max(range(len(setter.rates)), key=lambda g: max(row[g] for row in rates))
    own = setter.optimizer.param_groups[group]
    return ScheduleTrace(
        rates=tuple(row[group] for row in rates),
        interval="epoch",
        epochs=len(rates),
        steps_per_epoch=per_epoch,
        scheduler=setter.name,
        adaptive=False,
        horizon=None,
        group=group,
        averages=_averages(setter.function.__code__.co_filename),
        momentum=momentum_of(own),
        place=setter.where,
    )


def _is_as_seen(rates: Sequence[tuple[float, ...]], step: StepSeen) -> bool:
    return step.epoch > len(rates) or math.isclose(rates[max(step.epoch, 1) - 1][0], step.rate, rel_tol=SAME)


def _averages(file: str) -> bool:
    """Whether a file speaks of stochastic weight averaging, whose rate stays up by design."""
    tree = syntax(file)
    names = (getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(tree)) if tree is not None else ()
    return any("swa" in name.lower() for name in names if isinstance(name, str))
