"""Edits of whole statements: put one after another, move it, and set what a config names."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m

from trainingdoctor.loading.names import SYNONYMS
from trainingdoctor.observing.places import Place
from trainingdoctor.remedy.arguments import keyword, more_arguments, to
from trainingdoctor.remedy.lookup import assignments, constant_of
from trainingdoctor.remedy.source import Source, Unplaceable

TARGET = "{target}"


@dataclass(frozen=True)
class AddStatement:
    """A statement next to the one that holds `place`; `{target}` in it is the name that that one assigns."""

    place: Place
    text: str
    before: bool = False

    def apply(self, source: Source) -> None:
        """Put it in."""
        line = _line(source, self.place)
        text = self.text.replace(TARGET, target_of(source, self.place)) if TARGET in self.text else self.text
        beside(source, line, text, self.before)


@dataclass(frozen=True)
class MoveStatement:
    """The statement that holds `place` goes behind the one that holds `after`, in the same block."""

    place: Place
    after: Place

    def apply(self, source: Source) -> None:
        """Move it."""
        line, other = _line(source, self.place), _line(source, self.after)
        if line is other or source.parent(line) is not source.parent(other):
            raise Unplaceable(f"{self.place} cannot be moved behind {self.after}: they are not in one block")
        source.change(line, lambda _: cst.RemoveFromParent())
        source.change(other, lambda now: cst.FlattenSentinel([now, line]))


@dataclass(frozen=True)
class SetField:
    """What a config names: `epochs = 30`, or `epochs=30` in the `Training(...)` that its function returns.

    place: anywhere in the config.
    """

    place: Place
    field: str
    value: str

    def apply(self, source: Source) -> None:
        """Change it where it is defined."""
        found = [*_named(source, self.field), *_keywords(source, self.field)]
        if not found:
            raise Unplaceable(f"{source.file.name} does not set {self.field} where it could be changed")
        source.change(_origin(source, found[0]), to(source.expression(self.value)))


@dataclass(frozen=True)
class AddField:
    """A new name of a config, behind the statement at `place`; handed to `Training(...)` where the config makes one."""

    place: Place
    field: str
    value: str

    def apply(self, source: Source) -> None:
        """Add it; a field that is None gets the value."""
        empty = [
            v for v in (*_named(source, self.field), *_keywords(source, self.field)) if m.matches(v, m.Name("None"))
        ]
        line = _line(source, self.place)
        if empty and source.line(empty[0]) > source.line(line):
            text = self.value.replace(TARGET, target_of(source, self.place)) if TARGET in self.value else self.value
            source.change(empty[0], to(source.expression(text)))
            return
        AddStatement(self.place, f"{self.field} = {self.value}").apply(source)
        for call in _trainings(source):
            more_arguments(source, call, keyword(self.field, cst.Name(self.field)))


def beside(source: Source, statement: cst.BaseStatement, text: str, before: bool) -> None:
    """Put the statements of a text before or behind another one."""
    new = cst.parse_module(source.spelled(text)).body
    source.change(statement, lambda now: cst.FlattenSentinel([*new, now] if before else [now, *new]))


def _line(source: Source, place: Place) -> cst.SimpleStatementLine:
    return source.around(source.at(place, cst.BaseExpression), cst.SimpleStatementLine)


def target_of(source: Source, place: Place) -> str:
    """The name that the statement around `place` assigns. Raises Unplaceable."""
    node = source.at(place, cst.BaseExpression)
    assign = source.around(node, cst.BaseSmallStatement)
    if isinstance(assign, cst.Assign) and isinstance(assign.targets[0].target, cst.Name | cst.Attribute):
        return source.shown(assign.targets[0].target)
    raise Unplaceable(f"{place} gives it no name")


def _named(source: Source, field: str) -> list[cst.BaseExpression]:
    """What the names of a field are assigned at the top of the file, the documented name first."""
    found = []
    for name in SYNONYMS.get(field, (field,)):
        for assign in source.all(cst.Assign):
            is_top = isinstance(source.parent(source.parent(assign)), cst.Module)
            if is_top and any(m.matches(t.target, m.Name(name)) for t in assign.targets):
                found.append(assign.value)
    return found


def _origin(source: Source, value: cst.BaseExpression) -> cst.BaseExpression:
    """The expression that a name stands for, through names that are assigned once."""
    constant = constant_of(source, value)
    if constant is not None or not isinstance(value, cst.Name):
        return constant or value
    assigned = assignments(source, value.value)
    return _origin(source, assigned[0]) if len(assigned) == 1 and assigned[0] is not value else value


def _trainings(source: Source) -> list[cst.Call]:
    return [c for c in source.all(cst.Call) if source.shown(c.func) in ("Training", "trainingdoctor.Training")]


def _keywords(source: Source, field: str) -> list[cst.BaseExpression]:
    return [a.value for c in _trainings(source) for a in c.args if a.keyword is not None and a.keyword.value == field]
