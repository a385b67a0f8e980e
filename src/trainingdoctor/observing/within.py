"""Evaluations inside of an epoch, every so many steps: where they stand in the source, and whether they are waited for."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from trainingdoctor.observing.epochs import value_of
from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.places import is_users, loops_around, syntax

EVALUATES = re.compile(r"eval|valid|(^|_)val(_|$)|(^|_)test", re.IGNORECASE)
# Batches to see behind such an evaluation: whether the model is back in train mode.
AFTER = 4
# So many times a pass's own seconds may go by until it comes.
PATIENCE = 2.0


@dataclass(frozen=True)
class Interval:
    """every: steps between two evaluations.  left: until the next one.  where: file:line of the condition."""

    every: int
    left: int
    where: str


def evaluates_within(frame: FrameType | None) -> Interval | None:
    """The next evaluation under a condition such as `step % 500 == 0` in the loop over the batches.

    frame: the innermost one, where that loop asks for its next batch. Counters are read off the frame; nothing is called. None
    where no such condition stands there, or its numbers are not known.
    """
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            found = list(_conditions(frame))
            if found:
                return min(found, key=lambda interval: interval.left)
        frame = frame.f_back
    return None


def _conditions(frame: FrameType) -> Iterator[Interval]:
    names = {**frame.f_globals, **frame.f_locals}
    file = Path(frame.f_code.co_filename).name
    loop = _loop(frame)
    for node in ast.walk(loop) if loop is not None else ():
        if isinstance(node, ast.If) and any(map(_evaluates, node.body)):
            for compared in ast.walk(node.test):
                interval = _interval(compared, names)
                if interval is not None:
                    yield Interval(*interval, f"{file}:{node.lineno}")


def _loop(frame: FrameType) -> ast.For | ast.While | None:
    """The loop whose head asks for a batch now, else the innermost one around the line."""
    tree, line = syntax(frame.f_code.co_filename), frame.f_lineno
    heads = [
        n
        for n in ast.walk(tree or ast.Module([], []))
        if isinstance(n, ast.For) and n.lineno <= line < n.body[0].lineno
    ]
    return max([*heads, *loops_around(frame)], key=lambda n: n.lineno, default=None)


def _evaluates(statement: ast.stmt) -> bool:
    """Whether it calls something, or goes through something, that is called after an evaluation."""
    for node in ast.walk(statement):
        called = node.func if isinstance(node, ast.Call) else node.iter if isinstance(node, ast.For) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if EVALUATES.search(name):
            return True
    return False


def _interval(node: ast.AST, names: dict[str, Any]) -> tuple[int, int] | None:
    """Of `counter % every == rest` and `not counter % every`: every, and what is left until it holds."""
    match node:
        case ast.Compare(left=ast.BinOp(left=counter, op=ast.Mod(), right=every), ops=[ast.Eq()], comparators=[rest]):
            pass
        case ast.UnaryOp(op=ast.Not(), operand=ast.BinOp(left=counter, op=ast.Mod(), right=every)):
            rest = ast.Constant(0)
        case _:
            return None
    number, at, wanted = (value_of(n, names) for n in (every, counter, rest))
    if not all(isinstance(n, int) for n in (number, at, wanted)) or number < 1 or "epoch" in ast.unparse(counter):
        return None
    return number, (wanted - at) % number or number


class Reach:
    """Lets the first training pass go on to an evaluation inside of it, where that comes soon enough.

    interval: of one that has not come yet.  steps: of the pass by then.  seconds: that it would have taken to get there.
    """

    def __init__(self) -> None:
        self.interval: Interval | None = None
        self.steps = 0
        self.seconds = 0.0
        self._looked = self._allowed = False
        self._came: int | None = None

    def goes_on(self, training: Pass, evaluated: bool, limits: Limits, frame: FrameType | None) -> bool:
        """Whether a pass that has gone on long enough is let go further. evaluated: any evaluation was seen by now."""
        if training.kind != "training" or training.epoch != 1 or training.empty:
            return False
        if not self._looked:
            self._looked = True
            self.interval = None if evaluated else evaluates_within(frame)
            self._allowed = self._is_near(training, limits)
        if not self._allowed:
            return False
        if evaluated and self._came is None:
            self.interval, self._came = None, training.batches
        if self._came is not None:
            return training.batches < self._came + AFTER
        return training.clock.seconds < PATIENCE * limits.seconds

    def _is_near(self, training: Pass, limits: Limits) -> bool:
        if self.interval is None:
            return False
        self.steps = training.batches
        self.seconds = training.clock.seconds * (1 + self.interval.left / max(training.batches, 1))
        return self.seconds < min(PATIENCE * limits.seconds, limits.total)

    def missed(self, script: str, time_limit: float) -> str | None:
        """What is said where it was not waited for; None where none was found, or it came."""
        if self.interval is None:
            return None
        goal = self.steps + self.interval.left
        longer = f" --time-limit {math.ceil(4 * self.seconds)}" if 3 * self.seconds > time_limit else ""
        return (
            f"{script} evaluates every {self.interval.every:,} steps ({self.interval.where}) and {self.steps:,} were seen: "
            f"--steps {goal}{longer} goes that far"
        )
