"""Notebooks: the code cells in order, without magics."""

import json
from pathlib import Path

from trainingdoctor.errors import UserError

# Cell magics under which the cell is still Python.
PYTHON = ("%%time", "%%timeit", "%%capture")


def notebook_source(path: Path) -> str:
    """The Python of a notebook. Raises UserError for a file that is no notebook of version 4."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.name} is not a Jupyter notebook that can be read: {type(error).__name__}") from error
    code = [_lines(cell.get("source", "")) for cell in cells if cell.get("cell_type") == "code"]
    return "\n\n".join("\n".join(lines) for cell in code if (lines := _python(cell)) is not None) + "\n"


def _lines(source: str | list[str]) -> list[str]:
    return (source if isinstance(source, str) else "".join(source)).splitlines()


def _python(cell: list[str]) -> list[str] | None:
    """The cell with its magics as comments; None for one in another language."""
    first = next((line.strip() for line in cell if line.strip()), "")
    if first.startswith("%%") and not first.startswith(PYTHON):
        return None
    return [_kept(line) for line in cell]


def _kept(line: str) -> str:
    bare = line.lstrip()
    indent = line[: len(line) - len(bare)]
    return f"{indent}pass  # {bare}" if bare.startswith(("%", "!")) or bare.endswith("?") else line
