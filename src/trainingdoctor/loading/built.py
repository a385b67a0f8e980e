"""At which line of a source the part of a training that a finding names is built."""

from __future__ import annotations

import ast
from pathlib import Path

from trainingdoctor.loading.names import SYNONYMS
from trainingdoctor.observing.places import syntax


def built_line(file: Path, place: str) -> int | None:
    """The line of a place such as `scheduler` or `train_loader.dataset.transform`; None where the source does not tell.

    A call's keyword has a line of its own, and so has what a name stands for. A scheduler that is missing belongs to the
    optimizer, and what is no part of a training is a module of the model.
    """
    tree = syntax(str(file))
    values = {} if tree is None else _values(tree)
    head, *parts = place.split(".")
    part = head.partition("[")[0]
    if part not in SYNONYMS:
        part, parts = "model", []
    value = _first(values, part)
    if value is None and part == "scheduler":
        value, parts = _first(values, "optimizer"), []
    for name in parts:
        value = _argument(value, name, values)
    return None if value is None else value.lineno


def _values(tree: ast.Module) -> dict[str, ast.expr]:
    """What each name is first assigned, at module level before what functions do."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)):
                found.setdefault(name.id, node.value)
    return found


def _first(values: dict[str, ast.expr], part: str) -> ast.expr | None:
    return next((values[name] for name in SYNONYMS[part] if name in values), None)


def _argument(value: ast.expr | None, name: str, values: dict[str, ast.expr]) -> ast.expr | None:
    """What a call is given under that name, else the call; a loader's data set is its first argument."""
    if not isinstance(value, ast.Call):
        return value
    first = value.args[:1] if name == "dataset" else []
    found = next(iter((*(k.value for k in value.keywords if k.arg == name), *first)), value)
    return values.get(found.id, found) if isinstance(found, ast.Name) else found
