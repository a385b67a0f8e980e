"""Elements of lists and arguments of calls put in and taken out in the layout of their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

Items = Sequence[Any]


def inserted(items: Items, index: int, new: Items, first_gap: cst.BaseParenthesizableWhitespace | None) -> list[Any]:
    """`items` (elements or arguments) with `new` ones before number `index`; first_gap: what stands before the first one."""
    if not items:
        return [item.with_changes(comma=_comma(None)) for item in new[:-1]] + list(new[-1:])
    between, last = _between(items, index, first_gap), items[-1].comma
    result = [*items[:index], *new, *items[index:]]
    kept = {id(item) for item in items[:-1]}
    spaced = [i if id(i) in kept else i.with_changes(comma=between) for i in result[:-1]]
    return [*spaced, result[-1].with_changes(comma=last)]


def removed(items: Items, index: int) -> list[Any]:
    """`items` without number `index`; what closes the list closes it still."""
    result = [*items[:index], *items[index + 1 :]]
    if index == len(items) - 1 and result:
        result[-1] = result[-1].with_changes(comma=_uncommented(items[-1].comma))
    return result


def _uncommented(comma: Any) -> Any:
    """A comment behind what is gone was about that."""
    gap = getattr(comma, "whitespace_after", None)
    if not isinstance(gap, cst.ParenthesizedWhitespace):
        return comma
    return comma.with_changes(whitespace_after=gap.with_changes(first_line=cst.TrailingWhitespace()))


def _between(items: Items, index: int, first_gap: cst.BaseParenthesizableWhitespace | None) -> cst.Comma:
    """The comma of the neighbour before; of the last but one where that closes the list."""
    before = items[max(0, min(index, len(items) - 1) - 1)].comma
    if len(items) > 1 and isinstance(before, cst.Comma):
        between: cst.Comma = _uncommented(before)
        return between
    return _comma(first_gap)


def _comma(gap: cst.BaseParenthesizableWhitespace | None) -> cst.Comma:
    on_lines = isinstance(gap, cst.ParenthesizedWhitespace)
    return cst.Comma(whitespace_after=gap if on_lines and gap is not None else cst.SimpleWhitespace(" "))
