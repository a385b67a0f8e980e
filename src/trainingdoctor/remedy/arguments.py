"""Edits of the arguments of a call; and what an edit is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import libcst as cst

from trainingdoctor.observing.places import CallSite, Place
from trainingdoctor.remedy import layout
from trainingdoctor.remedy.lookup import (
    argument,
    constant_of,
    entry,
    is_setting,
    is_used_elsewhere,
    name_for,
    parameter,
    partial_of,
    starred,
)
from trainingdoctor.remedy.source import Source, Unplaceable


class Edit(Protocol):
    """A change of one file."""

    @property
    def place(self) -> Place:
        """Where."""
        ...

    def apply(self, source: Source) -> None:
        """Register the change. Raises Unplaceable in one sentence where it cannot be made safely."""
        ...


@dataclass(frozen=True)
class AtCall:
    """What edits of a call share."""

    site: CallSite

    @property
    def place(self) -> Place:
        """Of the call."""
        return self.site.place


@dataclass(frozen=True)
class SetArgument(AtCall):
    """`name=value` in a call: where the value is a constant defined once or an option's default, it is changed there.

    alone: what else has the constant, such as the number of epochs, keeps it.
    """

    name: str
    value: str
    alone: bool = False

    def apply(self, source: Source) -> None:
        """Set it, in place or as a new keyword."""
        call = source.at(self.place, cst.Call)
        found = argument(call, self.name, self.site.parameters) or partial_of(source, call, self.name)
        given = found.value if found is not None else _starred(source, call, self.name, self.place)
        if given is None:
            more_arguments(source, call, keyword(self.name, source.expression(self.value)))
            return
        wanted = source.expression(self.value)
        if (
            isinstance(given, cst.Tuple)
            and isinstance(wanted, cst.Tuple)
            and len(given.elements) == len(wanted.elements)
        ):
            for old, new in zip(given.elements, wanted.elements, strict=True):
                self._set(source, old.value, new.value)
        else:
            self._set(source, given, wanted)

    def _set(self, source: Source, given: cst.BaseExpression, wanted: cst.BaseExpression) -> None:
        text = source.shown(wanted)
        named = name_for(source, given, text)
        constant = None if self.alone and is_used_elsewhere(source, given) else constant_of(source, given)
        if named is not None:
            source.change(given, to(named.deep_clone()))
        elif constant is None and is_setting(given) and not self.alone:
            raise Unplaceable(
                f"{self.place} takes {self.name} from {source.shown(given)}, which is not set in this file"
            )
        elif source.shown(constant or given) != text:
            source.change(constant or given, to(wanted))


@dataclass(frozen=True)
class ScaleArgument(AtCall):
    """The argument of that name times `factor`, a source text; of a list each number."""

    name: str
    factor: str

    def apply(self, source: Source) -> None:
        """Multiply it where it stands."""
        found = argument(source.at(self.place, cst.Call), self.name, self.site.parameters)
        if found is None:
            raise Unplaceable(f"{self.place} does not give {self.name}")
        given = found.value
        values = [e.value for e in given.elements] if isinstance(given, cst.List | cst.Tuple) else [given]
        for value in values:
            shown = source.shown(value)
            whole = shown if isinstance(value, cst.Name | cst.Attribute | cst.Call | cst.Integer) else f"({shown})"
            source.change(value, to(cst.parse_expression(f"{whole} * {self.factor}")))


@dataclass(frozen=True)
class SetDefault(AtCall):
    """Another default of a parameter of the function around a call."""

    name: str
    value: str

    def apply(self, source: Source) -> None:
        """Change the default; a parameter without one is the caller's to give."""
        held = parameter(source.around(source.at(self.place, cst.Call), cst.FunctionDef), self.name)
        if held is None or held.default is None:
            raise Unplaceable(f"{self.name} is given to the function at {self.place}, from where was not seen")
        source.change(held.default, to(source.expression(self.value)))


@dataclass(frozen=True)
class DropArgument(AtCall):
    """Take an argument out of a call, so that its default holds."""

    name: str

    def apply(self, source: Source) -> None:
        """Take it out; one given by its position cannot be."""
        call = source.at(self.place, cst.Call)
        found = argument(call, self.name, self.site.parameters)
        if found is None or found.keyword is None:
            raise Unplaceable(f"{self.place} does not name {self.name}")
        name = self.name

        def without(now: cst.Call) -> cst.Call:
            index = next(i for i, a in enumerate(now.args) if a.keyword is not None and a.keyword.value == name)
            return now.with_changes(args=layout.removed(now.args, index))

        source.change(call, without)


def to(node: cst.CSTNode) -> Callable[[Any], Any]:
    """The change that puts a node in the place of another one."""
    return lambda _: node


def keyword(name: str, value: cst.BaseExpression) -> cst.Arg:
    """`name=value`."""
    tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(value, keyword=cst.Name(name), equal=tight)


def more_arguments(source: Source, call: cst.Call, new: cst.Arg) -> None:
    """An argument at the end of a call, before `**options`."""

    def more(now: cst.Call) -> cst.Call:
        index = next((i for i, a in enumerate(now.args) if a.star == "**"), len(now.args))
        return now.with_changes(args=layout.inserted(now.args, index, [new], now.whitespace_before_args))

    source.change(call, more)


def _starred(source: Source, call: cst.Call, name: str, place: Place) -> cst.BaseExpression | None:
    """The value that a call's `**options` give a name; None where they do not. Raises Unplaceable where that is not known."""
    if not any(a.star == "**" for a in call.args):
        return None
    held = starred(source, call)
    values = [entry(d, name) for d in held or ()]
    if held is None or (len(values) > 1 and any(v is not None for v in values)):
        raise Unplaceable(f"{place} takes its arguments from a dictionary")
    return values[0]
