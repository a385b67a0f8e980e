"""Diagnose a config, within its time limit whatever its code does, with a line that says how far it is."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from trainingdoctor.aside import aside
from trainingdoctor.cli.deliver import Delivery, deliver
from trainingdoctor.errors import Terminated

if TYPE_CHECKING:
    from trainingdoctor.history.curves import LearningCurves
    from trainingdoctor.registry import Registry
    from trainingdoctor.report import Report
    from trainingdoctor.runner import Diagnosis, Progress
    from trainingdoctor.settings import Settings

# After the time limit, the user's code has this many seconds to give in to the alarm before it is left behind.
GRACE = 3.0
# And this many more until the process is killed from outside, where not even a thread of its own gets to run.
LAST = 1.0


def examine(
    config: Path,
    registry: Registry,
    settings: Settings,
    device: str | None,
    seed: int,
    started: float,
    delivery: Delivery,
    stdout: TextIO,
    curves: LearningCurves | None,
) -> Report:
    """The report; where the time limit ends the process, what is known by then is delivered first."""
    from trainingdoctor.cli.enforce import enforced
    from trainingdoctor.cli.exits import USAGE, exit_code
    from trainingdoctor.cli.watchdog import watchdog
    from trainingdoctor.cores import Moment, yield_cores

    began = Moment.now()
    ends = max(settings.time_limit + GRACE - (time.perf_counter() - started), 1.0)
    stuck = f"{config.name} could not be stopped within {settings.time_limit:g} s, and was killed: its code, or a library's, holds the interpreter"
    under_way: list[Diagnosis] = []

    def last_words() -> int:
        call_off()
        if not under_way:
            aside(f"{config.name} did not end within {settings.time_limit:g} s")
            return USAGE
        report = deliver(under_way[0].report(), delivery, stdout)
        return exit_code(report, settings.fail_on)

    def cut_short() -> None:
        if under_way:
            deliver(under_way[0].report(why="interrupted: it had not run yet"), delivery, stdout)

    with (
        watchdog(ends + LAST, stuck) as call_off,
        enforced(ends, last_words),
        _told_if_cut(cut_short),
        progress_line() as (say, progress),
    ):
        say(f"loading {config.name}")
        from trainingdoctor.loading.config import in_folder_of, load_config
        from trainingdoctor.runner import diagnose as run

        yield_cores(began)
        with in_folder_of(config):
            training = load_config(config, max(settings.time_limit - (time.perf_counter() - started), 1.0))
            training = training if curves is None else replace(training, history=curves)
            return run(
                training,
                settings=settings,
                device=device,
                seed=seed,
                progress=progress,
                registry=registry,
                started=started,
                watch=under_way.append,
            )


@contextlib.contextmanager
def _told_if_cut(tell: Callable[[], object]) -> Iterator[None]:
    """At Ctrl-C and SIGTERM, tell what is known by then."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        tell()
        raise


@contextlib.contextmanager
def progress_line() -> Iterator[tuple[Callable[[str], object], Progress]]:
    """A status line on a terminal; silent in a pipe."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda *_: None)
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update, lambda done, total, code: status.update(f"{done}/{total}  {code}")
