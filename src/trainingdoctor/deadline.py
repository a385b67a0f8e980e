"""Time limits that hold when the user's code hangs: an alarm interrupts it."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeUp(BaseException):
    """Raised inside a block that ran out of time. Not an Exception, so that user code does not swallow it."""


# How long an alarm waits for a destructor or an import to end, in tries of so many seconds.
_TRIES, _AGAIN = 100, 0.05
# What hangs gets next to nothing done; what runs beside others gets at least this share of one core, or nobody could wait for it.
_WORKING = 0.1
# Seconds after which it is asked again, at the least.
_SHORT = 0.2


def _is_delicate(frame: FrameType | None) -> bool:
    """Inside a destructor the exception would be lost, and inside an import it would leave half a module behind."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename.endswith(("weakref.py", "<frozen importlib._bootstrap>")):
            return True
        frame = frame.f_back
    return False


class _Busy:
    """Whether a block whose time is up still works, and only shares the machine. Seconds: of this process's work, and on the wall at most."""

    def __init__(self, work: float, most: float) -> None:
        self.began, self.worked = time.monotonic(), time.process_time()
        self.work, self.ends, self.last = work, self.began + most, (self.began, self.worked)

    def more(self) -> float:
        """Seconds until it is to be asked again; 0 where its time is up, and ever after."""
        now = time.monotonic(), time.process_time()
        share = (now[1] - self.last[1]) / max(now[0] - self.last[0], 1e-9)
        self.last = now
        left = min(self.work - (now[1] - self.worked), self.ends - now[0])
        if left <= 0 or share <= _WORKING:
            self.ends = -math.inf
            return 0.0
        return max(left, _SHORT)


@contextmanager
def limited(seconds: float | None, most: float = 0.0) -> Iterator[None]:
    """Raise TimeUp in the block after `seconds`; or later, until `most`, while a busy machine has not let it work for so long.

    Works in the main thread of systems with SIGALRM (not Windows); elsewhere the block is not interrupted.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not usable:
        yield
        return

    armed, tries, busy = True, _TRIES, _Busy(seconds, most)

    def ring(_signal: int, frame: FrameType | None) -> None:
        nonlocal tries
        if not armed:
            return
        if tries and _is_delicate(frame):
            tries -= 1
            signal.setitimer(signal.ITIMER_REAL, _AGAIN, 1.0)
            return
        if more := busy.more():
            signal.setitimer(signal.ITIMER_REAL, more, 1.0)
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
