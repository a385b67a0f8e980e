"""Is a file a config, which builds a training, or a script, which runs one?"""

import ast
from pathlib import Path

from trainingdoctor.loading.grammar import modernized
from trainingdoctor.python2 import is_python2, readable

# Methods that only a loop calls; a loop whose backward() was forgotten is a script all the same.
LOOP = {"backward", "zero_grad"}
# Libraries with a loop of their own, and what starts it.
LIBRARIES = {"lightning", "pytorch_lightning", "transformers", "ignite", "fastai"}
STARTS = {"fit", "train", "run", "fit_one_cycle"}
# What a model is called in a config, in order of precedence.
MODEL_NAMES = ("model", "net", "network", "classifier", "model_ft")


def is_script(path: Path) -> bool:
    """Whether the file is to be run under observation.

    A config has a model at module level (or a function `training`) and has neither a loop (backward(), zero_grad(), a library's
    fit()) nor a main guard.
    What cannot be read is left to the config's loader, which says why.
    """
    if path.suffix == ".ipynb":
        return True
    tree = parsed(path)
    if tree is None:
        return False
    calls = methods_called(tree)
    return (
        bool(calls & LOOP)
        or starts_library(calls, _imported(tree))
        or any(map(_is_guard, tree.body))
        or not any(map(_builds, tree.body))
    )


def parsed(path: Path) -> ast.Module | None:
    """The file's syntax, also in the grammar of an older Python; None where it cannot be read."""
    try:
        text = modernized(path.read_bytes())[0]
        return ast.parse(text)
    except SyntaxError as error:
        return readable(text) if is_python2(error) else None
    except (OSError, ValueError):
        return None


def methods_called(tree: ast.Module) -> set[str]:
    """Names of the methods that are called anywhere in it."""
    return {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}


def starts_library(calls: set[str], imported: set[str]) -> bool:
    """Whether it calls the loop of a library that it imports (top-level names)."""
    return bool(calls & STARTS) and bool(imported & LIBRARIES)


def _imported(tree: ast.Module) -> set[str]:
    """The top-level names of the modules that a file imports."""
    names = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    names += [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    return {name.partition(".")[0] for name in names}


def _is_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _builds(node: ast.stmt) -> bool:
    """Whether a statement at module level makes a model, or a function that does."""
    if isinstance(node, ast.FunctionDef):
        return node.name == "training"
    if isinstance(node, ast.ImportFrom):
        return any((alias.asname or alias.name) in MODEL_NAMES for alias in node.names)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return any(n == "training" or n in MODEL_NAMES for n in names)
