"""Sentences beside the report, on standard error."""

import sys

from trainingdoctor.render.printable import visible


def aside(sentence: str) -> None:
    """Say it in a line that begins with the program's name; characters that act in a terminal are shown, not sent."""
    print(f"trainingdoctor: {visible(sentence)}", file=sys.stderr)  # noqa: T201
