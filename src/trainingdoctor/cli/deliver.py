"""Where reports go: a file, or standard output."""

from pathlib import Path

from trainingdoctor.errors import UserError


def write(path: Path, text: str) -> None:
    """Write `text` to `path`. Raises UserError where that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output {path} cannot be written: {error.strerror}") from error
