"""Loaders that a script goes through after its loop, which is not waited for: a test at the end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader

from trainingdoctor.observing.places import around, is_users, loops_around, syntax


@dataclass(frozen=True)
class UsedLater:
    """where: file:line of the use."""

    loader: Any
    where: str


def used_later(frame: FrameType | None) -> tuple[UsedLater, ...]:
    """The loaders that stand in the user's functions that are under way, behind the loops that these are in."""
    found: list[UsedLater] = []
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            found += _behind(frame)
        frame = frame.f_back
    return tuple(found)


def _behind(frame: FrameType) -> Iterator[UsedLater]:
    tree = syntax(frame.f_code.co_filename)
    functions = [n for n in around(frame, ast.FunctionDef) if isinstance(n, ast.FunctionDef)]
    own = max(functions, key=lambda n: n.lineno, default=None)
    inside = [n for n in loops_around(frame) if own is None or n.lineno > own.lineno]
    if not inside or tree is None:
        return
    end = max(loop.end_lineno or 0 for loop in inside)
    names = {**frame.f_globals, **frame.f_locals}
    for node in ast.walk(own or tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.lineno > end:
            loader = names.get(node.id)
            if isinstance(loader, DataLoader):
                yield UsedLater(loader, f"{Path(frame.f_code.co_filename).name}:{node.lineno}")
