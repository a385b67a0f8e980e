"""What a fix does to a source: small edits that say where and what, each applied to a `Source` on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst
import libcst.matchers as m

from trainingdoctor.observing.places import Place
from trainingdoctor.remedy import layout
from trainingdoctor.remedy.arguments import to
from trainingdoctor.remedy.lookup import constant_of
from trainingdoctor.remedy.source import Source, Unplaceable

# Stands where an element was until its list is closed up.
_REMOVED = "__removed__"


@dataclass(frozen=True)
class SetCallee:
    """Call something else with the same arguments: `torch.optim.AdamW` for `Adam`."""

    place: Place
    callee: str

    def apply(self, source: Source) -> None:
        """Exchange what is called."""
        callee = source.expression(self.callee)
        source.change(source.at(self.place, cst.Call), lambda now: now.with_changes(func=callee))


@dataclass(frozen=True)
class Replace:
    """An expression in the place of another one; `{first}` in it is the first argument of the call that stands there."""

    place: Place
    text: str

    def apply(self, source: Source) -> None:
        """Exchange the whole expression."""
        node, text = source.at(self.place, cst.BaseExpression), self.text
        if "{first}" in text:
            call = source.at(self.place, cst.Call)
            if not call.args or call.args[0].star:
                raise Unplaceable(f"{self.place} names no first argument")
            text = text.replace("{first}", source.shown(call.args[0].value))
        source.change(node, to(source.expression(text)))


@dataclass(frozen=True)
class Unwrap:
    """`f(x, ...)` becomes `x`, and so does `x.f(...)`, where f is one of `functions`."""

    place: Place
    functions: tuple[str, ...]

    def apply(self, source: Source) -> None:
        """Take the function away."""
        call = source.at(self.place, cst.Call)
        name = call.func.attr.value if isinstance(call.func, cst.Attribute) else getattr(call.func, "value", "")
        if name not in self.functions:
            raise Unplaceable(f"{self.place} calls {name or 'something'}, not {' or '.join(self.functions)}")
        if call.args and call.args[0].keyword is None and not _is_number(call.args[0].value):
            source.change(call, lambda now: now.args[0].value)
        elif isinstance(call.func, cst.Attribute):
            source.change(call, lambda now: now.func.value)
        else:
            raise Unplaceable(f"{self.place}: {name} is called in a way that cannot be taken apart")


@dataclass(frozen=True)
class RemoveElement:
    """Take a call out of the list or the call that it is an element of; elsewhere put `instead` there."""

    place: Place
    instead: str = "torch.nn.Identity()"

    def apply(self, source: Source) -> None:
        """Take it out."""
        call = source.at(self.place, cst.Call)
        holder = source.parent(call)
        whole = source.parent(holder)
        listed = isinstance(holder, cst.Element) and isinstance(whole, cst.List | cst.Tuple)
        chained = isinstance(holder, cst.Arg) and isinstance(whole, cst.Call) and _is_chain(source, whole, holder)
        if not listed and not chained:
            source.change(call, to(source.expression(self.instead)))
            return
        attribute = "elements" if listed else "args"
        source.change(call, to(cst.Name(_REMOVED)))

        def without(now: Any) -> Any:
            items = getattr(now, attribute)
            index = next(i for i, item in enumerate(items) if getattr(item.value, "value", "") == _REMOVED)
            return now.with_changes(**{attribute: layout.removed(items, index)})

        source.change(whole, without)


@dataclass(frozen=True)
class AddElements:
    """Elements in the list that a call such as Compose is given: behind the one that stands at `after`, else at its beginning.

    Where the call is given a list by name, behind `after` in the list that that one is written in, else before the whole.
    """

    place: Place
    texts: tuple[str, ...]
    after: Place | None = None

    def apply(self, source: Source) -> None:
        """Put them in."""
        call = source.at(self.place, cst.Call)
        held = call.args[0].value if call.args else None
        if isinstance(held, cst.List):
            self._insert(source, held)
        elif self.after is not None and self.after.file == source.file:
            written = source.parent(source.parent(source.at(self.after, cst.Call)))
            if not isinstance(written, cst.List):
                raise Unplaceable(f"{self.place}: its steps are not written as a list")
            self._insert(source, written)
        elif isinstance(held, cst.Name) and self.after is None and not _grows_after(source, held.value, self.place):
            source.change(held, to(source.expression(f"[{', '.join(self.texts)}, *{held.value}]")))
        else:
            raise Unplaceable(f"{self.place}: its steps are not written as a list")

    def _insert(self, source: Source, held: cst.List) -> None:
        index = 0
        if self.after is not None:
            step = source.at(self.after, cst.Call)
            index = 1 + next((i for i, e in enumerate(held.elements) if e.value is step), len(held.elements) - 1)
        new = [cst.Element(source.expression(text)) for text in self.texts]
        gap = held.lbracket.whitespace_after

        def with_them(now: cst.List) -> cst.List:
            return now.with_changes(elements=layout.inserted(now.elements, index, new, gap))

        source.change(held, with_them)


@dataclass(frozen=True)
class Wrap:
    """`text` with the expression itself for `{}`: `Compose([..., {}])`."""

    place: Place
    text: str

    def apply(self, source: Source) -> None:
        """Put it around."""
        node = source.at(self.place, cst.BaseExpression)
        around = self.text.format(source.shown(node))
        source.change(node, to(source.expression(around)))


@dataclass(frozen=True)
class SetAttribute:
    """`thing.name = value`, where the assignment stands at `place`."""

    place: Place
    value: str

    def apply(self, source: Source) -> None:
        """Exchange the value."""
        target = source.at(self.place, cst.Attribute)
        assign = source.around(target, cst.Assign)
        source.change(constant_of(source, assign.value) or assign.value, to(source.expression(self.value)))


@dataclass(frozen=True)
class RemoveStatement:
    """Take out the statement that consists of this call."""

    place: Place

    def apply(self, source: Source) -> None:
        """Take it out; where it is all there is in its block, `pass` stays."""
        statement = source.around(source.at(self.place, cst.Call), cst.Expr)
        line = source.around(statement, cst.SimpleStatementLine)
        if source.around(source.at(self.place, cst.Call), cst.BaseSmallStatement) is not statement:
            raise Unplaceable(f"{self.place} is part of another statement")
        block = source.parent(line)
        alone = isinstance(block, cst.IndentedBlock) and len(block.body) == 1 and len(line.body) == 1
        source.change(statement, (lambda _: cst.Pass()) if alone else (lambda _: cst.RemoveFromParent()))


def _grows_after(source: Source, name: str, place: Place) -> bool:
    """Whether a list is changed behind a place: whoever has it there must have that very list."""
    methods = [c for c in source.all(cst.Call) if m.matches(c.func, m.Attribute(m.Name(name)))]
    added = [a for a in source.all(cst.AugAssign) if m.matches(a.target, m.Name(name))]
    return any(source.place(node) > place for node in (*methods, *added))


def _is_chain(source: Source, call: cst.Call, given: cst.Arg) -> bool:
    """Whether a call is given a chain of modules one by one."""
    return given.keyword is None and source.shown(call.func).rpartition(".")[2] == "Sequential"


def _is_number(node: cst.BaseExpression) -> bool:
    inner = node.expression if isinstance(node, cst.UnaryOperation) else node
    return isinstance(inner, cst.BaseNumber)
