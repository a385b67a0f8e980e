"""What the README shows works: its Python blocks run, in their order, and its settings are valid."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor import Training
from trainingdoctor.registry import Registry, load_registry
from trainingdoctor.report import Verdict
from trainingdoctor.settings import Settings, parse_settings

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str, text: str) -> list[tuple[int, str]]:
    """The fenced blocks of one language, each with the number of its first line."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in found]


def run(text: str, names: dict[str, Any]) -> list[str]:
    """Execute the Python blocks one after the other in `names`, then the tests they define. Returns the tests' names.

    Compiled at their lines of the file, so that a traceback points into it.
    """
    for line, code in blocks("python", text):
        exec(compile("\n" * (line - 1) + code, README.name, "exec"), names)
    tests = [name for name in names if name.startswith("test_")]
    for name in tests:
        names[name]()
    return tests


@pytest.fixture
def stand_ins(training: Any) -> dict[str, Any]:
    """What the README takes for granted: the parts of a small healthy training, under the names of a config."""
    subject = training()
    parts = {name: getattr(subject, name) for name in Training.field_names()}
    return {**parts, "loader": subject.train_loader, "__name__": "readme"}


def test_python_blocks_run(stand_ins: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    run(text, stand_ins)
    assert capsys.readouterr().out.split()[0] in list(Verdict)
    registry = Registry()
    registry.add(stand_ins["CHECKS"])
    assert registry.checks


def test_toml_blocks_are_valid() -> None:
    tables = [tomllib.loads(code) for _, code in blocks("toml", README.read_text(encoding="utf-8"))]
    settings = [t["tool"]["trainingdoctor"] for t in tables if "trainingdoctor" in t.get("tool", {})]
    assert settings
    for table in settings:
        assert isinstance(parse_settings(table, load_registry(), README.name), Settings)


def test_a_block_that_no_longer_works_is_found_at_its_line() -> None:
    text = "Text.\n\n```python\nfine = 1\n```\n\n```python\nbroken = fine.nothing\n```\n"
    with pytest.raises(AttributeError) as caught:
        run(text, {})
    assert caught.traceback[-1].lineno + 1 == 8


def test_tests_of_the_readme_run() -> None:
    text = "```python\ndef test_it():\n    assert False, 'ran'\n```\n"
    with pytest.raises(AssertionError, match="ran"):
        run(text, {})
