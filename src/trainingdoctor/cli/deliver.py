"""Where reports go: a file, or standard output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from trainingdoctor.errors import UserError
from trainingdoctor.files import write_whole

if TYPE_CHECKING:
    from rich.console import Console

    from trainingdoctor.cli.accepted import Accepted
    from trainingdoctor.report import Report


FORMATS = ("text", "json", "html", "markdown", "sarif", "junit")
ENDINGS = {".json": "json", ".html": "html", ".md": "markdown", ".sarif": "sarif", ".xml": "junit"}


@dataclass(frozen=True)
class Delivery:
    """How the user wants a report. Without a format, the ending of each output file tells its own.

    saved: the config beside which the report is kept for `history` and `compare`; None where it is not.  source: the file
    that was examined.  accepted: what a baseline lists.
    """

    format: str
    outputs: tuple[Path, ...]
    verbose: bool
    saved: Path | None = None
    source: Path | None = None
    accepted: Accepted | None = None


def deliver(report: Report, delivery: Delivery, stdout: TextIO) -> Report:
    """Render a report to the files or to standard output; files for machines come with the text on standard output.

    Returns it as delivered: compared with the baseline, where there is one.
    """
    if delivery.accepted is not None:
        report = delivery.accepted.marked(report)
    if delivery.saved is not None:
        _save(report, delivery.saved)
    kinds = [form_of(output, delivery.format) for output in delivery.outputs]
    for kind, output in zip(kinds, delivery.outputs, strict=True):
        text = _text(report, delivery.verbose) if kind == "text" else _rendered(report, kind, delivery.source)
        write(output, text)
    if delivery.format == "text" and "text" not in kinds:
        _print(report, stdout, delivery.verbose)
    elif not kinds:
        send(_rendered(report, delivery.format, delivery.source), stdout)
    return report


def form_of(output: Path | None, format: str) -> str:
    """What is made: as --format says, else as the output file's ending says."""
    if format != "text" or output is None:
        return format
    return ENDINGS.get(output.suffix.lower(), "text")


def draws_pictures(delivery: Delivery) -> bool:
    """Whether a page with pictures is among what is made."""
    return "html" in [form_of(output, delivery.format) for output in delivery.outputs or (None,)]


def _rendered(report: Report, kind: str, source: Path | None) -> str:
    if kind == "html":
        from trainingdoctor.render.html import render_html

        return render_html(report, report.pictures)
    if kind == "markdown":
        from trainingdoctor.render.markdown import render_markdown

        return render_markdown(report)
    if kind == "sarif":
        from trainingdoctor.render.sarif import render_sarif

        return render_sarif(report, source)
    if kind == "junit":
        from trainingdoctor.render.junit import render_junit

        return render_junit(report)
    from trainingdoctor.render.json import render_json

    return render_json(report)


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


def send_drawn(draw: Callable[[Console], None], stdout: TextIO) -> None:
    """Write what is drawn on a console of standard output's kind. Raises UserError as `send` does."""
    from rich.console import Console

    console = Console(file=stdout)
    with console.capture() as drawn:
        draw(console)
    send(drawn.get(), stdout)


def _print(report: Report, stdout: TextIO, verbose: bool) -> None:
    from trainingdoctor.render.terminal import print_report

    send_drawn(lambda console: print_report(report, console, verbose=verbose), stdout)
    tracebacks = [r.traceback for r in report.results if r.traceback]
    if verbose and tracebacks:
        print(*tracebacks, sep="\n", file=sys.stderr)  # noqa: T201


def _text(report: Report, verbose: bool) -> str:
    from rich.console import Console

    from trainingdoctor.render.terminal import print_report

    buffer = io.StringIO()
    print_report(report, Console(file=buffer, width=100), verbose=verbose)
    return buffer.getvalue()


def check_writable(path: Path, option: str = "--output") -> None:
    """Raise UserError before the work is done where its result could not be written."""
    folder = path.resolve().parent
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder: give the name of a file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        reason = "its folder is not there" if not folder.is_dir() else "no permission"
        raise UserError(f"{option} {path} cannot be written: {reason}")


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, wholly or not at all. Raises UserError where that cannot be done."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"--output {path} cannot be written: {error.strerror}") from error
