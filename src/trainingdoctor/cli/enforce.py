"""The time limit's last resort: user code that neither ends nor can be interrupted."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# While a config is executed, os._exit is another function.
EXIT = os._exit


# After the report, threads and exit handlers of the user's code have this many seconds.
GRACE = 2.0


def _end(code: int) -> None:
    # Nobody has children of that kind who has not imported it.
    if (processes := sys.modules.get("multiprocessing")) is not None:
        for child in processes.active_children():
            child.kill()
    EXIT(code)


def ended_soon(code: int, seconds: float = GRACE) -> None:
    """End the process after `seconds`, if it still is there: what is said is said, and a thread of the user's may never end."""

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        _end(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


@contextmanager
def enforced(seconds: float, last_words: Callable[[], int]) -> Iterator[None]:
    """End the process `seconds` after the block began, with what `last_words` returns as exit code.

    An alarm interrupts most code that hangs; code that swallows every exception, or that hangs inside a library, is
    left behind like this. last_words runs in a thread of its own while the code still hangs.
    """
    over = threading.Event()

    def end() -> None:
        if over.is_set():
            return
        code = 1
        try:
            code = last_words()
        finally:
            _end(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        over.set()
        timer.cancel()
