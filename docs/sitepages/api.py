"""The public names of the package, from their signatures and docstrings."""

import ast
import inspect
from enum import Enum
from typing import Any

import trainingdoctor
from sitepages.text import fenced
from trainingdoctor import testing

INTRODUCTION = """# Python

The public names of `trainingdoctor`, with their signatures and docstrings. All are typed: the package ships `py.typed`. What needs torch is loaded on
first use. Names that are not listed here may change without notice.
"""


def api_page() -> str:
    """Functions first, then classes."""
    names = {
        name: getattr(trainingdoctor, name)
        for name in trainingdoctor.__all__
        if name not in ("__version__", "Verdicts")
    }
    functions = {name: thing for name, thing in names.items() if not inspect.isclass(thing)}
    classes = {name: thing for name, thing in names.items() if inspect.isclass(thing)}
    verbs = {name: getattr(testing, name) for name in testing.__all__}
    parts = (("Functions", functions), ("Classes", classes), ("trainingdoctor.testing", verbs))
    return INTRODUCTION + "".join(f"\n## {title}\n{_entries(things)}" for title, things in parts)


def _entries(things: dict[str, Any]) -> str:
    return "".join(f"\n### {name}\n\n{_signature(thing)}\n{_told(thing)}" for name, thing in things.items())


def _signature(thing: Any) -> str:
    """A function's as it is written; of a class that is data, its fields."""
    lines = inspect.getsource(thing).splitlines()
    node = ast.parse("\n".join(lines)).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    told = lines[node.lineno - 1 : node.body[0].lineno - 1]
    if isinstance(node, ast.ClassDef):
        fields = [
            n for n in node.body if isinstance(n, ast.AnnAssign) or (_is_enum(thing) and isinstance(n, ast.Assign))
        ]
        told += [line for f in fields for line in lines[f.lineno - 1 : f.end_lineno]]
    return fenced("\n".join(told), "python")


def _is_enum(thing: Any) -> bool:
    return issubclass(thing, Enum)


def _told(thing: Any) -> str:
    return fenced(inspect.getdoc(thing) or "", "text")
