"""Notebooks: the code cells in order, without magics."""

import io
import json
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

from trainingdoctor.errors import UserError

# Cell magics under which the cell is still Python, and line magics whose rest is.
PYTHON = ("%%time", "%%timeit", "%%capture")
# What every Python 3 does anyhow, and a cell may say anywhere, but a script only in its first line.
LONG_SINCE = re.compile(r"from __future__ import (?!.*(\(|\\$|\b(annotations|barry_as_FLUFL)\b))")
TIMED = re.compile(r"%time(it)?\s+(?!-)(?=\S)")


def notebook_source(path: Path) -> str:
    """The Python of a notebook. Raises UserError for a file that is no notebook of version 4."""
    return "\n\n".join("\n".join(lines) for lines in _cells(path) if lines is not None) + "\n"


def by_cell(path: Path) -> Callable[[str], str]:
    """What tells the lines of a notebook's whole source in a text, `name.ipynb:90`, by cell: `name.ipynb, code cell 3:7`."""
    starts: list[tuple[int, int]] = []
    line = 1
    for number, cell in enumerate(_cells(path), 1):
        if cell is not None:
            starts.append((line, number))
            line += max(len(cell), 1) + 1

    def told(found: re.Match[str]) -> str:
        at = int(found[1])
        first, number = max((s for s in starts if s[0] <= at), default=(1, 1))
        return f"{path.name}, code cell {number}:{at - first + 1}"

    place = re.compile(re.escape(path.name) + r":(\d+)")
    return lambda text: place.sub(told, text)


def _cells(path: Path) -> list[list[str] | None]:
    """The lines of each code cell; None for one in another language."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.name} is not a Jupyter notebook that can be read: {type(error).__name__}") from error
    return [_python(_lines(cell.get("source", ""))) for cell in cells if cell.get("cell_type") == "code"]


def _lines(source: str | list[str]) -> list[str]:
    return (source if isinstance(source, str) else "".join(source)).splitlines()


def _python(cell: list[str]) -> list[str] | None:
    """The cell with its magics as comments; None for one in another language."""
    first = next((line.strip() for line in cell if line.strip()), "")
    if first.startswith("%%") and not first.startswith(PYTHON):
        return None
    kept: list[str] = []
    for line in cell:
        kept.append(line if line.lstrip().startswith("%") and _goes_on(kept) else _kept(line))
    return kept


def _goes_on(lines: list[str]) -> bool:
    """Whether a statement is open at the end of these lines, so that a % that follows divides or formats."""
    if lines and lines[-1].rstrip().endswith("\\"):
        return True
    try:
        list(tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline))
    except tokenize.TokenError:
        return True
    except SyntaxError:
        return False
    return False


def _kept(line: str) -> str:
    bare = line.lstrip()
    indent = line[: len(line) - len(bare)]
    if timed := TIMED.match(bare):
        return indent + bare[timed.end() :]
    magic = bare.startswith(("%", "!")) or bare.endswith("?")
    return f"{indent}pass  # {bare}" if magic or LONG_SINCE.match(bare) else line
