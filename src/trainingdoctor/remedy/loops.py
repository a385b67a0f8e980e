"""Loops and calls of a file of which only the line is known."""

from __future__ import annotations

from typing import Any

import libcst as cst
import libcst.matchers as m

from trainingdoctor.observing.places import Place
from trainingdoctor.remedy.lookup import function_of
from trainingdoctor.remedy.source import Source, Unplaceable


def loop_at(source: Source, place: Place) -> cst.For | cst.While:
    """The loop whose head is on a line. Raises Unplaceable."""
    loops: list[cst.For | cst.While] = [*source.all(cst.For), *source.all(cst.While)]
    for loop in loops:
        if source.line(loop) <= place.line < source.line(loop.body.body[0]):
            return loop
    raise Unplaceable(f"{place} is the head of no loop")


def turns(source: Source, place: Place, at: Place) -> str | None:
    """What says how often the loop on a line turns, as `args.epochs` of `range(1, args.epochs + 1)`, where it is known at another place.

    None where that is no name. Raises Unplaceable.
    """
    loop = loop_at(source, place)
    call = loop.iter if isinstance(loop, cst.For) else None
    if (
        place.file != at.file
        or not isinstance(call, cst.Call)
        or not m.matches(call.func, m.Name("range"))
        or not call.args
    ):
        return None
    end: Any = call.args[min(1, len(call.args) - 1)].value
    if m.matches(call.args[0].value, m.Integer("1")) and m.matches(end, m.BinaryOperation(right=m.Integer("1"))):
        end = end.left
    root = source.shown(end).partition(".")[0]
    before = any(n.value == root and source.line(n) < at.line for n in source.all(cst.Name))
    named = isinstance(end, cst.Name | cst.Attribute) and before
    here = function_of(source, source.at(at, cst.BaseExpression))
    return source.shown(end) if named and here is function_of(source, loop) else None


def loop_around(source: Source, node: cst.CSTNode) -> cst.CSTNode:
    """The innermost loop that a node stands in."""
    outer = source.parent(node)
    while not isinstance(outer, cst.For | cst.While):
        outer = source.parent(outer)
    return outer


def inside(source: Source, outer: cst.CSTNode, kind: type[Any]) -> list[Any]:
    """The nodes of a kind on the lines of another one."""
    place = source.place(outer)
    return [n for n in source.all(kind) if place.line <= source.line(n) <= place.end_line]


def method_call(source: Source, place: Place, method: str) -> cst.Call:
    """The call of a method on a line, or of a function that is imported by that name. Raises Unplaceable."""
    for call in source.all(cst.Call):
        span = source.place(call)
        if span.line <= place.line <= span.end_line and m.matches(
            call.func, m.Attribute(attr=m.Name(method)) | m.Name(method)
        ):
            return call
    raise Unplaceable(f"{place} calls no {method}()")
