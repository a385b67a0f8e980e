"""Edits of a loop, where only its line is known: statements next to a call or a loop, and what a loop adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst
import libcst.matchers as m

from trainingdoctor.observing.places import Place
from trainingdoctor.remedy.arguments import to
from trainingdoctor.remedy.edits import Unwrap
from trainingdoctor.remedy.lookup import function_of
from trainingdoctor.remedy.loops import inside, loop_around, loop_at, method_call
from trainingdoctor.remedy.source import Source, Unplaceable
from trainingdoctor.remedy.statements import beside

# What models are called where nothing else tells: the end of a name such as `self.net` or `resnet`.
MODELS = ("model", "net", "network")
# `model.train()`, `model.eval()`.
SWITCH = m.Call(func=m.Attribute(attr=m.Name("train") | m.Name("eval")), args=[])


@dataclass(frozen=True)
class BesideCall:
    """A statement next to the one on a line that calls the method; `{receiver}` and `{first}` are of that call."""

    place: Place
    method: str
    text: str
    before: bool = False

    def apply(self, source: Source) -> None:
        """Put it in."""
        call = method_call(source, self.place, self.method)
        beside(source, source.around(call, cst.SimpleStatementLine), _of(source, call, self.text), self.before)


@dataclass(frozen=True)
class CallOn:
    """The method on a line is called on `text` instead; `{receiver}` is what it is called on now."""

    place: Place
    method: str
    text: str

    def apply(self, source: Source) -> None:
        """Exchange the receiver; of `scaler.scale(loss).backward()` that is `loss`."""
        call = method_call(source, self.place, self.method)
        held: Any = call.func
        if not isinstance(held, cst.Attribute):
            raise Unplaceable(f"{self.method}() is called on nothing")
        inner: Any = held.value
        if m.matches(inner, m.Call(func=m.Attribute(attr=m.Name("scale")), args=[m.Arg()])):
            inner = inner.args[0].value
            text = self.text.strip("()")
        else:
            text = self.text
        new = cst.parse_expression(text.replace("{receiver}", source.shown(inner)))
        source.change(inner, to(new))


@dataclass(frozen=True)
class SetMode:
    """`model.train()` or `model.eval()` before the loop on a line, in the place of the other one where that stands there."""

    place: Place
    mode: str

    def apply(self, source: Source) -> None:
        """Change or add it."""
        loop = loop_at(source, self.place)
        body = _statements(source, loop)
        earlier = body[: next(i for i, s in enumerate(body) if s is loop)]
        for statement in reversed(earlier):
            call = _mode_call(statement)
            if call is not None:
                attribute: Any = call.func
                if attribute.attr.value == self.mode:
                    raise Unplaceable(f"{self.place} has {self.mode}() before it already")
                source.change(attribute.attr, to(cst.Name(self.mode)))
                return
        beside(source, loop, f"{_model(source, loop)}.{self.mode}()", before=True)


@dataclass(frozen=True)
class WithinContext:
    """The loop on a line goes into a `with` block."""

    place: Place
    context: str

    def apply(self, source: Source) -> None:
        """Put it in."""
        item = cst.WithItem(source.expression(self.context))
        loop = loop_at(source, self.place)

        def within(now: cst.For) -> cst.With:
            lead = now.leading_lines
            return cst.With([item], cst.IndentedBlock([now.with_changes(leading_lines=())]), leading_lines=lead)

        source.change(loop, within)


@dataclass(frozen=True)
class AtEndOfLoop:
    """A statement at the end of the body of the loop on a line. needs: a name that must be known there.

    made_at: the call next to which another edit defines it, in the same file.
    """

    place: Place
    text: str
    needs: str
    made_at: Place | None = None

    def apply(self, source: Source) -> None:
        """Put it in."""
        loop = loop_at(source, self.place)
        if not _is_known(source, loop, self.needs, self.made_at):
            raise Unplaceable(f"{self.needs} is not known in the loop at {self.place}")
        early = [c for c in inside(source, loop, cst.Continue) if loop_around(source, c) is loop]
        if early:
            raise Unplaceable(f"the loop at {self.place} goes on before its end, at line {source.line(early[0])}")
        new = cst.parse_statement(self.text)

        def longer(now: Any) -> Any:
            return now.with_changes(body=now.body.with_changes(body=[*now.body.body, new]))

        source.change(loop, longer)


@dataclass(frozen=True)
class UnwrapWithin:
    """In the loop on a line, the only call of `function` is taken away from what it is given: `softmax(net(x))` becomes `net(x)`."""

    place: Place
    function: str

    def apply(self, source: Source) -> None:
        """Take it away."""
        loop = loop_at(source, self.place)
        found = [c for c in inside(source, loop, cst.Call) if _called(c.func) == self.function]
        if len(found) != 1:
            raise Unplaceable(f"the loop at {self.place} calls {self.function} {len(found)} times")
        Unwrap(source.place(found[0]), (self.function,)).apply(source)


def _called(function: cst.BaseExpression) -> str:
    held = function.attr if isinstance(function, cst.Attribute) else function
    return held.value if isinstance(held, cst.Name) else ""


@dataclass(frozen=True)
class NumbersOnly:
    """What the loop on a line adds up or collects of tensors becomes numbers: `total += loss.item()`."""

    place: Place

    def apply(self, source: Source) -> None:
        """Change every sum of a bare name, and every list that one is appended to."""
        loop = loop_at(source, self.place)
        tensors = {source.shown(t.target) for a in inside(source, loop, cst.Assign) for t in a.targets if _is_call(a)}
        changed = False
        for value, how in _collected(source, loop):
            if isinstance(value, cst.Name) and value.value in tensors:
                new = cst.parse_expression(f"{value.value}.{how}()")
                source.change(value, to(new))
                changed = True
        if not changed:
            raise Unplaceable(f"what keeps the graphs in the loop at {self.place} was not found")


def _collected(source: Source, loop: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, str]]:
    for add in inside(source, loop, cst.AugAssign):
        yield add.value, "item"
    for assign in inside(source, loop, cst.Assign):
        if isinstance(assign.value, cst.BinaryOperation) and isinstance(assign.value.operator, cst.Add):
            left = source.shown(assign.value.left)
            if any(source.shown(t.target) == left for t in assign.targets):
                yield assign.value.right, "item"
    for call in inside(source, loop, cst.Call):
        if m.matches(call, m.Call(func=m.Attribute(attr=m.Name("append")), args=[m.Arg()])):
            yield call.args[0].value, "detach"


def _is_call(assign: cst.Assign) -> bool:
    return isinstance(assign.value, cst.Call)


def _of(source: Source, call: cst.Call, text: str) -> str:
    receiver = source.shown(call.func.value) if isinstance(call.func, cst.Attribute) else ""
    if not receiver and "{receiver}" in text:
        raise Unplaceable(f"{source.shown(call.func)}() is called on nothing")
    first = source.shown(call.args[0].value) if call.args else ""
    return text.replace("{receiver}", receiver).replace("{first}", first)


def _statements(source: Source, node: cst.CSTNode) -> list[cst.CSTNode]:
    block: Any = source.parent(node)
    return list(block.body)


def _mode_call(statement: cst.CSTNode) -> cst.Call | None:
    if not m.matches(statement, m.SimpleStatementLine(body=[m.Expr(SWITCH)])):
        return None
    inner: Any = statement
    call: cst.Call = inner.body[0].value
    return call


def _model(source: Source, loop: cst.CSTNode) -> str:
    """What the model is called in a loop: what other loops switch, or a call of something that is named so."""
    switches: list[Any] = [c.func for c in source.all(cst.Call) if m.matches(c, SWITCH)]
    called = [source.shown(c.func) for c in inside(source, loop, cst.Call)]
    names = [source.shown(s.value) for s in switches] + [
        n for n in called if n.rpartition(".")[2].lower().endswith(MODELS)
    ]
    usable = [n for n in names if n in called]
    if not usable:
        raise Unplaceable("what the model is called there was not seen")
    return usable[0]


def _is_known(source: Source, node: cst.CSTNode, name: str, made_at: Place | None) -> bool:
    """Whether a name is assigned at the top of the file, or in the function around a node, or is an attribute."""
    if "." in name:
        return True
    made: list[cst.CSTNode] = [
        a for a in source.all(cst.Assign) if any(source.shown(t.target) == name for t in a.targets)
    ]
    if made_at is not None and made_at.file == source.file:
        made.append(source.at(made_at, cst.Call))
    own = function_of(source, node)
    return any(function_of(source, m) in (None, own) for m in made)
