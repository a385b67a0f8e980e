"""Where in the user's own source something happens."""

import ast
import linecache
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from types import FrameType

from trainingdoctor.loading.grammar import modernized
from trainingdoctor.measure.calling import library_folders

_OURS = str(Path(__file__).resolve().parent.parent)
_FOREIGN = tuple(
    {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), _OURS}
    | library_folders()
)


@cache
def is_users(file: str) -> bool:
    """Whether a code object's file name is neither a library's, nor Python's, nor ours."""
    return not file.startswith(("<", *_FOREIGN)) and "site-packages" not in file and "dist-packages" not in file


def is_ours(file: str) -> bool:
    """Whether a code object is of this package."""
    return file.startswith(_OURS)


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
        return ast.parse(modernized("".join(linecache.getlines(file)).encode())[0])
    except (SyntaxError, ValueError):
        return None


def around(frame: FrameType, *kinds: type[ast.AST]) -> list[ast.AST]:
    """The statements of these kinds whose body holds the line that the frame is at, in its file."""
    tree = syntax(frame.f_code.co_filename)
    return [] if tree is None else [n for n in ast.walk(tree) if isinstance(n, kinds) and _holds(n, frame.f_lineno)]


def loops_around(frame: FrameType) -> list[ast.For | ast.While]:
    """The loops in whose body the frame's line stands."""
    return [n for n in around(frame, ast.For, ast.While) if isinstance(n, ast.For | ast.While)]


def _holds(node: ast.AST, line: int) -> bool:
    body: Sequence[ast.stmt] = getattr(node, "body", ())
    return bool(body) and body[0].lineno <= line <= (body[-1].end_lineno or 0)


@dataclass(frozen=True, order=True)
class Place:
    """file: absolute.  line, end_line: from 1.  column, end_column: in characters, from 0."""

    file: Path
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}"


@dataclass(frozen=True)
class CallSite:
    """A call in the user's source. parameters: the names of what is called, in order, without self."""

    place: Place
    parameters: tuple[str, ...] = ()


def place_of(frame: FrameType) -> Place | None:
    """The expression that a frame is at; None where Python kept no columns (-X no_debug_ranges)."""
    code = frame.f_code
    line, end_line, column, end_column = next(islice(code.co_positions(), frame.f_lasti // 2, None))
    if line is None or end_line is None or column is None or end_column is None:
        return None
    file = code.co_filename
    return Place(
        Path(file).resolve(), line, _characters(file, line, column), end_line, _characters(file, end_line, end_column)
    )


def _characters(file: str, line: int, octets: int) -> int:
    """Python counts the columns of its code in bytes of UTF-8."""
    return len(linecache.getline(file, line).encode()[:octets].decode(errors="ignore"))
