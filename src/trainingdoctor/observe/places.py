"""Where in the user's own source something happens."""

import sys
import sysconfig
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
