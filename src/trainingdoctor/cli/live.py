"""How far a run is: a live line on a terminal, one line per epoch in a pipe."""

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainingdoctor.reference import EpochMetrics


def say(line: str) -> None:
    """Print a line at once; of several processes, the first one does."""
    if os.environ.get("RANK", "0") == "0":
        print(line, flush=True)  # noqa: T201


class Live:
    """Use as a context; `on_step` and `on_epoch` are what the trainings call."""

    def __enter__(self) -> "Live":
        self.bar: Any = None
        if sys.stdout.isatty() and os.environ.get("RANK", "0") == "0":
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (BarColumn(20), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self.bar = Progress(*columns)
            self.bar.start()
            self.task = self.bar.add_task("first epoch", total=None)
        return self

    def on_step(self, step: int, steps: int, rate: float) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(self.task, total=steps or None, completed=step, description=f"step {step:,}  lr {rate:.4g}")

    def on_epoch(self, metrics: "EpochMetrics", total: int) -> None:
        """Print one finished epoch."""
        m = metrics
        line = (
            f"epoch {m.epoch}/{total}  lr {m.rate:.4f}  loss {m.loss:.3f}  train {m.train_accuracy:.2f} %  "
            f"test {m.test_accuracy:.2f} %  {m.images_per_second:,.0f} images/s"
        )
        if self.bar is None:
            say(f"{line}  {m.seconds:.1f} s  {_spoken((total - m.epoch) * m.seconds)} left")
        else:
            self.bar.console.print(line)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
