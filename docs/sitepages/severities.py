"""How bad a check may call what it finds: read from its source, as far as its own module goes."""

import ast
import inspect
from functools import cache
from types import ModuleType

from trainingdoctor import Check, Severity

WORDS = {severity.value for severity in Severity}


def severities(check: Check) -> list[str]:
    """Of `critical`, `warning` and `info` those that the check, and what it calls in its module, names. Worst first."""
    module = inspect.getmodule(check.function)
    functions = {} if module is None else _functions(module)
    seen: set[str] = set()
    waiting = [check.function.__name__]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += functions.get(name, ())
    return [severity.value for severity in Severity if severity.value in seen]


@cache
def _functions(module: ModuleType) -> dict[str, frozenset[str]]:
    """The names that each function of a module uses."""
    tree = ast.parse(inspect.getsource(module))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {f.name: frozenset(n.id for n in ast.walk(f) if isinstance(n, ast.Name)) for f in found}
