"""Exit codes: 0 healthy, 1 findings, 2 wrong usage or a config that cannot be loaded, 3 a check crashed, nothing else."""

import functools
import signal
import threading
from collections.abc import Callable
from typing import Any

import typer

from trainingdoctor.aside import aside
from trainingdoctor.errors import Terminated, UserError
from trainingdoctor.finding import Severity
from trainingdoctor.report import Outcome, Report

HEALTHY, FINDINGS, USAGE, CRASHED, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143


def exit_code(report: Report, fail_on: Severity) -> int:
    """The documented exit code of a report; findings that a baseline lists do not count."""
    if any(not finding.known for finding in report.at_or_above(fail_on)):
        return FINDINGS
    return CRASHED if any(r.outcome is Outcome.CRASHED for r in report.results) else HEALTHY


def _end_at_sigterm() -> None:
    """End as at any other exit, so that temporary folders go and children are ended."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> None:
    raise Terminated


def exits(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose UserError is one sentence on standard error and exit code 2, as is want of memory, and Ctrl-C exit code 130."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _end_at_sigterm()
        try:
            return command(*args, **kwargs)
        except UserError as error:
            aside(str(error))
            raise typer.Exit(USAGE) from None
        except MemoryError:
            aside("memory ended: leave it more, or give smaller batches or --quick")
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt:
            aside("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except Terminated:
            aside("terminated")
            raise typer.Exit(TERMINATED) from None

    return wrapped
