"""Where in the user's own source something happens."""

import ast
import linecache
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import FrameType

_FOREIGN = tuple(
    {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    | {str(Path(__file__).resolve().parent.parent)}
)


@cache
def is_users(file: str) -> bool:
    """Whether a code object's file name is neither a library's, nor Python's, nor ours."""
    return not file.startswith(("<", *_FOREIGN)) and "site-packages" not in file and "dist-packages" not in file


def users_frame(depth: int = 2) -> FrameType | None:
    """The innermost frame of the user's code, at least `depth` calls up; None where there is none."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def users_place(depth: int = 3) -> str:
    """`file:line` of that frame, "" where there is none."""
    frame = users_frame(depth)
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


@cache
def syntax(file: str) -> ast.Module | None:
    """The syntax tree of a source file; None where it cannot be read."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


def around(frame: FrameType, *kinds: type[ast.AST]) -> list[ast.AST]:
    """The statements of these kinds whose body holds the line that the frame is at, in its file."""
    tree = syntax(frame.f_code.co_filename)
    return [] if tree is None else [n for n in ast.walk(tree) if isinstance(n, kinds) and _holds(n, frame.f_lineno)]


def _holds(node: ast.AST, line: int) -> bool:
    body: Sequence[ast.stmt] = getattr(node, "body", ())
    return bool(body) and body[0].lineno <= line <= (body[-1].end_lineno or 0)
