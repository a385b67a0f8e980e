"""What comes from the user's code, with nothing in it that a terminal or a reader's eye would obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from trainingdoctor.report import Report

# Control characters (escape codes begin with one), direction marks, surrogates, private ones, separators of lines.
OBEYED = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def visible(text: str) -> str:
    """`text` with the characters that act instead of being seen written as Python escapes; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in OBEYED else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def printable(report: Report) -> Report:
    """The same report with `visible` texts."""
    return replace(
        report, **{f.name: _cleaned(getattr(report, f.name)) for f in fields(report) if f.name != "pictures"}
    )


def _cleaned(value: Any) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {_cleaned(k): _cleaned(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(v) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _cleaned(getattr(value, f.name)) for f in fields(value)})
    return value
