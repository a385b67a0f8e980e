"""The public names: there, visible to type checkers, and loaded without torch until they are used."""

import ast
import subprocess
import sys
from inspect import isclass, isfunction
from pathlib import Path

import trainingdoctor


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(trainingdoctor.__all__) == sorted(set(trainingdoctor.__all__))
    for name in trainingdoctor.__all__:
        value = getattr(trainingdoctor, name)
        if isfunction(value) or isclass(value):
            assert value.__doc__, name
    assert set(trainingdoctor.__all__) <= set(dir(trainingdoctor))


def test_type_checkers_see_every_lazy_name() -> None:
    tree = ast.parse(Path(trainingdoctor.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    seen = {
        alias.name: str(n.module).removeprefix("trainingdoctor.")
        for n in block.body
        if isinstance(n, ast.ImportFrom)
        for alias in n.names
    }
    assert seen == trainingdoctor._LAZY


def test_neither_import_nor_help_loads_torch_or_matplotlib() -> None:
    code = (
        "import sys, trainingdoctor, trainingdoctor.cli; from typer.testing import CliRunner;"
        "r = CliRunner().invoke(trainingdoctor.cli.app, ['lr-range', '--help']);"
        "print(r.exit_code, sorted({'torch', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "0 []\n"
