"""Calls into the user's code: whatever it raises becomes one `UserCodeError` that says who raised, and where."""

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainingdoctor.errors import Unavailable, UserCodeError

_LIBRARIES = tuple({str(Path(p)) for p in sys.path if p.endswith(("site-packages", "dist-packages"))})
_OWN = str(Path(__file__).resolve().parent.parent)


@contextmanager
def user_code(stage: str) -> Iterator[None]:
    """Run a block that calls the user's objects. `stage` completes "... raised", as in "the model's forward".

    Raises UserCodeError from anything that the block raises, sys.exit() included. KeyboardInterrupt and time limits
    pass through.
    """
    try:
        yield
    except (Unavailable, UserCodeError):
        raise
    except (Exception, SystemExit) as error:
        raise UserCodeError(stage, error, user_line(error)) from error


def user_line(error: BaseException) -> str | None:
    """`file:line` of the innermost frame that is neither ours nor a library's; None where there is none.

    What a worker process passed on carries its traceback as text.
    """
    passed_on = re.findall(r'^ *File "(.+)", line (\d+), in ', str(error), re.MULTILINE)
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    standard = str(Path(traceback.__file__).parent)
    for file, line in reversed([*frames, *passed_on]):
        if not str(Path(file)).startswith((_OWN, standard, "<", *_LIBRARIES)):
            return f"{Path(file).name}:{line}"
    return None
