"""Evidence: something measured, with no opinion. One function each, under `@evidence`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainingdoctor.ask import Threshold, asks
from trainingdoctor.check import Cost


@dataclass(frozen=True)
class Evidence:
    """A registered measurement; checks ask for it by `name`. Call it like the function it wraps."""

    name: str
    function: Callable[..., Any]
    cost: Cost
    needs: tuple[str, ...]
    optional: tuple[str, ...]
    thresholds: Mapping[str, Threshold]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def evidence(
    *, cost: Cost | str = Cost.INSPECT, optional: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Evidence]:
    """Make evidence of a function; its name is the name to ask by.

    Positional parameters are fields of `Training` or other evidence. Those named in `optional` come as None when
    absent; without any other the evidence is skipped, with the reason. Keyword-only parameters are settings with
    typed defaults. Raise `Unavailable("why")` where the measurement does not apply to this training.
    """

    def wrap(function: Callable[..., Any]) -> Evidence:
        ask = asks(function)
        unknown = set(optional) - set(ask.needs)
        if unknown:
            raise TypeError(f"{function.__qualname__}: optional names {sorted(unknown)} are not parameters")
        return Evidence(function.__name__, function, Cost(cost), ask.needs, optional, ask.thresholds)

    return wrap
