"""Where reports go: a file, or standard output."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.report import Report


@dataclass(frozen=True)
class Delivery:
    """How the user wants a report. An output file that is called .json holds JSON whatever the format.

    saved: the config beside which the report is kept for `history` and `compare`; None where it is not.
    """

    format: str
    output: Path | None
    verbose: bool
    saved: Path | None = None


def deliver(report: Report, delivery: Delivery, stdout: TextIO) -> None:
    """Render a report to the file or to standard output; a JSON file comes with the text on standard output."""
    from trainingdoctor.render.json import render_json

    if delivery.saved is not None:
        _save(report, delivery.saved)
    output = delivery.output
    json_file = output is not None and output.suffix == ".json"
    if output is not None and (json_file or delivery.format == "json"):
        write(output, render_json(report))
    elif output is not None:
        write(output, _text(report, delivery.verbose))
    if output is None and delivery.format == "json":
        send(render_json(report), stdout)
    elif delivery.format == "text" and (output is None or json_file):
        _print(report, stdout, delivery.verbose)


def _save(report: Report, config: Path) -> None:
    from trainingdoctor.render.json import render_json
    from trainingdoctor.runs import Runs

    files = {"report.json": render_json(report)}
    Runs.beside(config).add("diagnose", config, report.verdict.value, report.root_causes, None, files)


def send(text: str, stdout: TextIO) -> None:
    """Write to standard output. Raises UserError where nobody reads it, or its disk is full."""
    try:
        stdout.write(text)
        stdout.flush()
    except OSError as error:
        # What is left in the buffer is not tried again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        raise UserError(f"standard output cannot be written: {error.strerror}") from error


def _print(report: Report, stdout: TextIO, verbose: bool) -> None:
    from rich.console import Console

    from trainingdoctor.render.terminal import print_report

    console = Console(file=stdout)
    with console.capture() as drawn:
        print_report(report, console, verbose=verbose)
    send(drawn.get(), stdout)
    tracebacks = [r.traceback for r in report.results if r.traceback]
    if verbose and tracebacks:
        print(*tracebacks, sep="\n", file=sys.stderr)  # noqa: T201


def _text(report: Report, verbose: bool) -> str:
    from rich.console import Console

    from trainingdoctor.render.terminal import print_report

    buffer = io.StringIO()
    print_report(report, Console(file=buffer, width=100), verbose=verbose)
    return buffer.getvalue()


def check_writable(path: Path) -> None:
    """Raise UserError before the work is done where its report could not be written."""
    folder = path.resolve().parent
    if path.is_dir():
        raise UserError(f"--output {path} is a folder: give the name of a file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        reason = "its folder is not there" if not folder.is_dir() else "no permission"
        raise UserError(f"--output {path} cannot be written: {reason}")


def write(path: Path, text: str) -> None:
    """Write `text` to `path`. Raises UserError where that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output {path} cannot be written: {error.strerror}") from error
