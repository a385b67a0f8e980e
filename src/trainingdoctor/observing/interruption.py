"""Ctrl-C, passed on to the process in which a script is watched: what was seen by then is diagnosed, shortly."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from trainingdoctor.observing.limits import Enough

# Seconds for the checks of what was seen, and for the answer to arrive at the process that asked.
SHORTLY, PATIENCE = 12.0, 25.0
WHY = "interrupted: it had not run yet"


class Interruption:
    """SIGINT ends the script first, whatever that does with a KeyboardInterrupt, and then the diagnosis. came: one came."""

    def __init__(self) -> None:
        self.came = False
        self.watching = True

    def listen(self) -> None:
        """From now on; the main thread of the process has to ask."""
        signal.signal(signal.SIGINT, self._ring)

    def _ring(self, _signal: int, _frame: FrameType | None) -> None:
        first, self.came = not self.came, True
        if self.watching:
            if first:
                raise Enough
            return
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def shortly(self) -> Iterator[None]:
        """The script has ended: what is in the block is ended by KeyboardInterrupt, soon where one came before."""
        self.watching = False
        timer = threading.Timer(SHORTLY, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        if self.came:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
