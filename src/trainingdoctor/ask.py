"""What a function asks for, read from its signature: the one idea behind evidence and checks (house rule 1)."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Threshold:
    """A keyword-only parameter: a number that the settings may change."""

    type: type
    default: Any


@dataclass(frozen=True)
class Ask:
    """needs: positional parameter names.  thresholds: keyword-only parameters with their types and defaults."""

    needs: tuple[str, ...]
    thresholds: Mapping[str, Threshold]


def asks(function: Callable[..., Any]) -> Ask:
    """Read what `function` needs. Raises TypeError when a threshold has no default or a parameter is variadic."""
    needs: list[str] = []
    thresholds: dict[str, Threshold] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.default is parameter.empty:
                raise TypeError(f"{function.__qualname__}: threshold {parameter.name!r} needs a default")
            thresholds[parameter.name] = Threshold(type(parameter.default), parameter.default)
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__qualname__}: *{parameter.name} cannot be asked for by name")
        else:
            needs.append(parameter.name)
    return Ask(tuple(needs), thresholds)
