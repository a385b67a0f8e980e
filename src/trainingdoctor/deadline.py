"""Time limits that hold when the user's code hangs: an alarm interrupts it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeUp(BaseException):
    """Raised inside a block that ran out of time. Not an Exception, so that user code does not swallow it."""


# How long an alarm waits for a destructor or an import to end, in tries of so many seconds.
_TRIES, _AGAIN = 100, 0.05


def _is_delicate(frame: FrameType | None) -> bool:
    """Inside a destructor the exception would be lost, and inside an import it would leave half a module behind."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename.endswith(("weakref.py", "<frozen importlib._bootstrap>")):
            return True
        frame = frame.f_back
    return False


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raise TimeUp in the block after `seconds`.

    Works in the main thread of systems with SIGALRM (not Windows); elsewhere the block is not interrupted.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not usable:
        yield
        return

    armed, tries = True, _TRIES

    def ring(_signal: int, frame: FrameType | None) -> None:
        nonlocal tries
        if not armed:
            return
        if tries and _is_delicate(frame):
            tries -= 1
            signal.setitimer(signal.ITIMER_REAL, _AGAIN, 1.0)
            return
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    # Repeats, because an alarm that falls into an `except BaseException` is lost.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)
    # Two levels, because an alarm may also fall into the first line of the inner `finally`.
    try:
        try:
            yield
        finally:
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
