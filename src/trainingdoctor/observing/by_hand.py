"""Learning rates that the user's own code writes, instead of a scheduler of torch."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from trainingdoctor.loading.grammar import modernized
from trainingdoctor.observing.places import is_users

# Longer files are data, not training loops.
LONGEST = 500_000


def rate_written_at(script: Path) -> str:
    """`file:line` where a loaded file of the user's assigns to `...["lr"]`; "" where none does."""
    for file in {script.resolve(), *_loaded()}:
        for line in _assignments(file):
            return f"{file.name}:{line}"
    return ""


def _loaded() -> Iterator[Path]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and is_users(file):
            yield Path(file).resolve()


def _assignments(file: Path) -> Iterator[int]:
    try:
        if file.stat().st_size > LONGEST:
            return
        tree = ast.parse(modernized(file.read_bytes())[0])
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(map(_is_rate, targets)):
                yield node.lineno


def _is_rate(target: ast.expr) -> bool:
    return isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value == "lr"
