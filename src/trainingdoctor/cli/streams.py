"""Standard output for the report alone."""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from pathlib import Path
from typing import TextIO

# For encodings without our marks, such as cp1252 on older Windows consoles: as wide, so that what is aligned stays so.
PLAIN = {"✗": "x", "✓": "+", "†": "#", "↳": ">", "→": ">", "·": "-", "…": "~", "≥": ">", "—": "-", "–": "-", "’": "'"}
READABLE = "trainingdoctor_readable"


def readable(error: UnicodeError) -> tuple[str, int]:
    """What to write in place of characters that an encoding lacks: a mark of ASCII, else the character's escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost), error.end


codecs.register_error(READABLE, readable)


def open_missing() -> None:
    """Let a standard stream that is closed be the null device, before another file gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as the process


def make_readable(*streams: object) -> None:
    """Let streams write whatever there is, whatever their encoding."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=READABLE)


@contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """Give the real standard output; what anybody else writes there, until the process ends, goes to standard error.

    Anybody is the user's code with `print`, with `os.write(1, ...)`, in a child process, or at exit.
    """
    real = sys.stdout
    if not _is_descriptor(real, 1):
        sys.stdout = sys.stderr
        try:
            yield real
        finally:
            sys.stdout = real
        return
    real.flush()
    stream = os.fdopen(os.dup(1), "w", encoding=real.encoding, errors=READABLE)
    os.dup2(2, 1)
    # A stream of its own: a config that closes it must not close standard error.
    sys.stdout = os.fdopen(os.dup(2), "w", 1, encoding=real.encoding, errors="backslashreplace")
    theirs = sys.stdout
    try:
        yield stream
        stream.flush()
    finally:
        sys.stdout = real
        if not theirs.closed:
            theirs.flush()


def _is_descriptor(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (AttributeError, OSError, UnsupportedOperation):
        return False
