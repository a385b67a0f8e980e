"""Checkpoints that are kept because they are the best so far."""

from __future__ import annotations

import ast
import linecache
from types import FrameType

from trainingdoctor.observe.places import is_users


def under_best(frame: FrameType | None) -> bool:
    """Whether the line that runs, or a caller's, stands under a comparison with a name such as `best_acc`."""
    while frame is not None:
        if is_users(frame.f_code.co_filename) and _compares(frame):
            return True
        frame = frame.f_back
    return False


def _compares(frame: FrameType) -> bool:
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    except SyntaxError:
        return False
    around = [n for n in ast.walk(tree) if isinstance(n, ast.If) and _holds(n, frame.f_lineno)]
    return any(
        isinstance(c, ast.Compare) and "best" in ast.unparse(c).lower() for n in around for c in ast.walk(n.test)
    )


def _holds(node: ast.If, line: int) -> bool:
    return node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0)
