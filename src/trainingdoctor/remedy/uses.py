"""Edits where one list of transforms serves two data sets: the one that is handed on gets a list of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import libcst as cst

from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy import layout
from trainingdoctor.remedy.arguments import AtCall, to
from trainingdoctor.remedy.source import Source, Unplaceable


@dataclass(frozen=True)
class WrapUse(AtCall):
    """In a call, the argument that is built at `of` (or is the name of that) becomes `name`, which a line before makes `text`.

    text: with the argument itself for `{}`.  hint: a part of the parameter's name that decides where several arguments are
    that.
    """

    of: Place
    text: str
    hint: str
    name: str = "augmented"

    def apply(self, source: Source) -> None:
        """Put it around."""
        given = _use(source, self.site, self.of, self.hint)
        if any(n.value == self.name for n in source.all(cst.Name)):
            raise Unplaceable(f"{source.file.name} uses the name {self.name} for something else")
        new = source.spelled(self.text.format(source.shown(given.value)))
        line = source.around(given, cst.SimpleStatementLine)
        made = cst.parse_statement(f"{self.name} = {new}")
        source.change(given.value, lambda _: cst.Name(self.name))
        source.change(line, lambda now: cst.FlattenSentinel([made, now]))


@dataclass(frozen=True)
class WithoutSteps(AtCall):
    """In a call, the argument that is built at `of` becomes the same list of transforms without those built at `drop`."""

    of: Place
    drop: tuple[Place, ...]
    hint: str

    def apply(self, source: Source) -> None:
        """Write the list out."""
        given = _use(source, self.site, self.of, self.hint)
        call = source.at(self.of, cst.Call)
        held = call.args[0].value if call.args else None
        if not isinstance(held, cst.List):
            raise Unplaceable(f"{self.of}: its steps are not written as a list")
        dropped = [source.at(place, cst.Call) for place in self.drop]
        kept = [source.shown(e.value) for e in held.elements if not any(e.value is d for d in dropped)]
        if len(kept) + len(dropped) != len(held.elements):
            raise Unplaceable(f"{self.of}: its random steps are not written in its list")
        new = cst.parse_expression(f"{source.shown(call.func)}([{', '.join(kept)}])")
        source.change(given.value, to(new))


@dataclass(frozen=True)
class MoveElement:
    """An element of a list goes before the one that stands at `before`."""

    place: Place
    before: Place

    def apply(self, source: Source) -> None:
        """Move it."""
        moved, other = source.at(self.place, cst.Call), source.at(self.before, cst.Call)
        held = source.around(moved, cst.List)
        values = [e.value for e in held.elements]
        if not any(v is moved for v in values) or not any(v is other for v in values):
            raise Unplaceable(f"{self.place} is not in one list with {self.before}")
        index = next(i for i, v in enumerate(values) if v is moved)
        target = next(i for i, v in enumerate(values) if v is other)

        def reordered(now: cst.List) -> cst.List:
            element = now.elements[index]
            rest = layout.removed(now.elements, index)
            gap = now.lbracket.whitespace_after
            return now.with_changes(elements=layout.inserted(rest, target - (index < target), [element], gap))

        source.change(held, reordered)


def _use(source: Source, site: CallSite, of: Place, hint: str) -> cst.Arg:
    call = source.at(site.place, cst.Call)
    names = _names(source, of) if of.file == source.file else frozenset()
    found = [(i, a) for i, a in enumerate(call.args) if source.shown(a.value) in names or _is_at(source, a, of)]
    if len(found) > 1:
        found = [(i, a) for i, a in found if hint in _parameter(i, a, site)] or found[:1]
    if len(found) != 1:
        raise Unplaceable(f"{site.place} is not given the transforms as a name of their own")
    return found[0][1]


def _is_at(source: Source, given: cst.Arg, of: Place) -> bool:
    return of.file == source.file and source.place(given.value) == of


def _names(source: Source, of: Place) -> Collection[str]:
    """What the statement around a call calls it."""
    call = source.at(of, cst.Call)
    assign = source.parent(call)
    return [source.shown(t.target) for t in assign.targets] if isinstance(assign, cst.Assign) else ()


def _parameter(index: int, given: cst.Arg, site: CallSite) -> str:
    if given.keyword is not None:
        return given.keyword.value
    return site.parameters[index] if index < len(site.parameters) else ""
