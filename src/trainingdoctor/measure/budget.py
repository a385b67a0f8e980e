"""How long a measurement may go on reading samples."""

import time


class Budget:
    """Spent after so many seconds of this process' work, or three times as many on the clock.

    Work counts first, so that a busy machine does not change what is measured; the clock counts where work is waiting
    for a disk.
    """

    def __init__(self, seconds: float) -> None:
        self.work = time.process_time() + seconds
        self.clock = time.perf_counter() + 3 * seconds

    @property
    def spent(self) -> bool:
        """Whether to stop."""
        return time.process_time() > self.work or time.perf_counter() > self.clock
