"""Time limits that hold when the user's code hangs: an alarm interrupts it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeUp(BaseException):
    """Raised inside a block that ran out of time. Not an Exception, so that user code does not swallow it."""


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raise TimeUp in the block after `seconds`.

    Works in the main thread of systems with SIGALRM (not Windows); elsewhere the block is not interrupted.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not usable:
        yield
        return

    armed = True

    def ring(_signal: int, _frame: FrameType | None) -> None:
        if armed:
            raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    # Repeats, because an alarm that falls into a destructor or an `except BaseException` is lost.
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
