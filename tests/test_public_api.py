"""What is public is documented, annotated, used in the typed example, and typed for others in the wheel."""

import importlib
import inspect
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

import trainingdoctor
import trainingdoctor.functions
import trainingdoctor.testing

ROOT = Path(__file__).parents[1]
USAGE = (ROOT / "tests" / "typing" / "usage.py").read_text(encoding="utf-8")
NAMES = [
    *(("trainingdoctor", name) for name in trainingdoctor.__all__),
    *(("trainingdoctor.testing", name) for name in trainingdoctor.testing.__all__),
]


def callables(thing: Any) -> list[Any]:
    """A function, or the public methods that a class itself has."""
    if not inspect.isclass(thing):
        return [thing] if callable(thing) and hasattr(thing, "__code__") else []
    members = (getattr(m, "fget", None) or getattr(m, "__func__", m) for n, m in vars(thing).items() if n[0] != "_")
    return [m for m in members if inspect.isfunction(m)]


def unannotated(function: Any) -> list[str]:
    """Parameters, and the returned value, that say nothing of their type."""
    signature = inspect.signature(function)
    bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")]
    return bare + ["return"] * (signature.return_annotation is signature.empty)


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_is_documented_and_annotated(module: str, name: str) -> None:
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert inspect.getdoc(thing)
        assert "(*args" not in (thing.__doc__ or ""), "a dataclass without a docstring of its own"
    for function in callables(thing):
        assert inspect.getdoc(function), f"{name}: {function.__qualname__} has no docstring"
        assert not unannotated(function), f"{name}: {function.__qualname__} is not annotated: {unannotated(function)}"


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_is_in_the_typed_example(module: str, name: str) -> None:
    assert name in USAGE, f"tests/typing/usage.py does not use {module}.{name}"


def test_the_functions_are_public_by_name() -> None:
    folder = Path(next(iter(trainingdoctor.functions.__path__)))
    modules = [importlib.import_module(f"trainingdoctor.functions.{file.stem}") for file in folder.glob("[!_]*.py")]
    own = {n for m in modules for n, f in inspect.getmembers(m, inspect.isfunction) if f.__module__ == m.__name__}
    public = {name for name in own if not name.startswith("_")}
    assert public
    assert public <= set(trainingdoctor.__all__)


def test_the_wheel_is_typed(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    names = ZipFile(wheel).namelist()
    for package in ("trainingdoctor", "trainingdoctor_checks"):
        assert f"{package}/py.typed" in names
        assert f"{package}/__init__.py" in names
    assert "trainingdoctor/report.schema.json" in names
    assert not [name for name in names if name.startswith(("tests", "docs"))]
