"""Notebooks as Python, and their lines by cell."""

import ast
import json
from pathlib import Path

import pytest

from trainingdoctor.loading.notebook import by_cell, notebook_source

CELLS = [
    "%matplotlib inline\n!pip list\nimport math\n%time a = math.sqrt(4)\n%timeit -n 3 a\nmath?",
    "%%bash\necho no",
    "",
    "print('Epoch %d | Cost %.2f'\n      %(1, a))\nb = 7 \\\n    % 4\nif b:\n    %load_ext tensorboard\n    text = '''\n%d\n'''",
]


def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "train.ipynb"
    cells = [{"cell_type": "markdown", "source": "# Title"}, *({"cell_type": "code", "source": c} for c in CELLS)]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_magics_are_left_out_and_formatting_is_not(tmp_path: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(ast.parse(notebook_source(notebook(tmp_path))), "x", "exec"), names)
    assert (names["a"], names["b"], names["text"]) == (2.0, 3, "\n%d\n")


def test_lines_are_told_by_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    lines = notebook_source(path).splitlines()
    at = 1 + next(i for i, line in enumerate(lines) if line.startswith("print"))
    assert by_cell(path)(f"raised (train.ipynb:{at + 1})") == "raised (train.ipynb, code cell 4:2)"
    assert by_cell(path)("train.ipynb:3, other.py:3") == "train.ipynb, code cell 1:3, other.py:3"


def test_what_python_3_does_anyhow_may_be_said_in_any_cell(tmp_path: Path) -> None:
    path = tmp_path / "train.ipynb"
    cells = ["from __future__ import annotations\na = 1", "from __future__ import print_function, division\nb = 3 / 2"]
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": c} for c in cells]}))
    source = notebook_source(path)
    names: dict[str, object] = {}
    exec(compile(source, "x", "exec"), names)
    assert names["b"] == 1.5
    assert source.startswith("from __future__ import annotations")


@pytest.mark.parametrize("said", ["(print_function,\n    division)", "print_function, \\\n    division"])
def test_what_goes_on_in_the_next_line_stays(said: str, tmp_path: Path) -> None:
    path = tmp_path / "train.ipynb"
    path.write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": f"from __future__ import {said}\nb = 3 / 2"}]})
    )
    exec(compile(notebook_source(path), "x", "exec"), {})
