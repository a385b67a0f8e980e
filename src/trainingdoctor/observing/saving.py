"""Checkpoints that are kept because they are the best so far."""

from __future__ import annotations

import ast
from types import FrameType

from trainingdoctor.observing.places import around, is_users


def under_best(frame: FrameType | None) -> bool:
    """Whether the line that runs, or a caller's, stands under a comparison with a name such as `best_acc`."""
    while frame is not None:
        if is_users(frame.f_code.co_filename) and any(map(_compares, around(frame, ast.If))):
            return True
        frame = frame.f_back
    return False


def _compares(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else node
    return any(isinstance(c, ast.Compare) and "best" in ast.unparse(c).lower() for c in ast.walk(test))
