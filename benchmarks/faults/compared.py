"""What each threshold is compared with, seen on every training of the bench: where healthy ends and sick begins.

A threshold is a keyword-only parameter of its check, so the settings may give it: here, as a number that keeps what it is
compared with. Nothing of the checks is repeated, and no threshold is left out.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from trainingdoctor.registry import load_registry

Row = dict[str, Any]
Values = dict[str, list[float]]


class Watched(float):
    """A threshold that keeps what it is compared with, in its own unit, also after arithmetic with other numbers."""

    # NumPy's scalars leave the comparison to this class.
    __array_ufunc__ = None

    def __new__(cls, value: float, seen: list[float], back: Callable[[float], float] = float) -> Self:
        """seen: where the values go.  back: turns what this number is compared with into the unit of the threshold."""
        self = super().__new__(cls, value)
        self.seen, self.back = seen, back
        return self

    def _with(self, value: float, back: Callable[[float], float]) -> Watched:
        return Watched(value, self.seen, lambda x: self.back(back(x)))

    def _keep(self, other: Any) -> None:
        try:
            value = self.back(float(other))
        except (TypeError, ValueError, ArithmeticError):
            return
        if math.isfinite(value):
            self.seen.append(value)

    def __lt__(self, other: Any) -> Any:
        self._keep(other)
        return float(self) < other

    def __le__(self, other: Any) -> Any:
        self._keep(other)
        return float(self) <= other

    def __gt__(self, other: Any) -> Any:
        self._keep(other)
        return float(self) > other

    def __ge__(self, other: Any) -> Any:
        self._keep(other)
        return float(self) >= other

    def __add__(self, other: float) -> Watched:
        return self._with(float(self) + other, lambda x: x - other)

    __radd__ = __add__

    def __sub__(self, other: float) -> Watched:
        return self + -other

    def __rsub__(self, other: float) -> Watched:
        return self._with(other - float(self), lambda x: other - x)

    def __mul__(self, other: float) -> Watched:
        return self._with(float(self) * other, lambda x: x / other)

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> Watched:
        return self._with(float(self) / other, lambda x: x * other)

    def __rtruediv__(self, other: float) -> Watched:
        return self._with(other / float(self), lambda x: other / x)

    def __index__(self) -> int:
        return int(self)

    def __hash__(self) -> int:
        return hash(float(self))

    def __format__(self, how: str) -> str:
        return format(int(self) if self.is_integer() else float(self), how)


def watched() -> tuple[dict[str, dict[str, Watched]], Values]:
    """All thresholds, by check, for `Settings(thresholds=...)`, and what they will have been compared with, by code.threshold."""
    values: Values = {}
    thresholds: dict[str, dict[str, Watched]] = {}
    for code, check in load_registry().checks.items():
        for name, threshold in check.thresholds.items():
            seen = values.setdefault(f"{code}.{name}", [])
            thresholds.setdefault(code, {})[name] = Watched(threshold.default, seen)
    return thresholds, values


def ends(values: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Least and most of what each threshold was compared with in one training: one figure for a layer, or many."""
    return {name: [min(seen), max(seen)] for name, seen in values.items() if seen}


def distribution(rows: Iterable[Row]) -> list[tuple[str, Any, list[float], list[float]]]:
    """Per threshold: its default, the values on healthy trainings, and those where its code was injected.

    Of a training the end that decides counts: the least where what lies below the threshold is sick, else the most.
    """
    checks = load_registry().checks
    table: dict[str, tuple[list[list[float]], list[list[float]]]] = {}
    for row in rows:
        right = {code for codes in row["right"] for code in codes}
        for name, both in row.get("compared", {}).items():
            healthy, sick = table.setdefault(name, ([], []))
            if not right:
                healthy.append(both)
            elif name.rpartition(".")[0] in right:
                sick.append(both)
    found = []
    for name in sorted(table):
        code, _, threshold = name.rpartition(".")
        if code not in checks or threshold not in checks[code].thresholds:
            continue
        default = checks[code].thresholds[threshold].default
        end = _deciding(default, *table[name])
        found.append((name, default, *([both[end] for both in side] for side in table[name])))
    return found


def _deciding(threshold: float, healthy: list[list[float]], sick: list[list[float]]) -> int:
    """0 where what lies below the threshold is sick, 1 where what lies above it is: the reading with fewer on the wrong side."""
    below = sum(x < threshold for x, _ in healthy) + sum(x >= threshold for x, _ in sick)
    above = sum(x > threshold for _, x in healthy) + sum(x <= threshold for _, x in sick)
    return 0 if below < above else 1


def lines(rows: Iterable[Row]) -> list[str]:
    """The distributions as a Markdown table: least, median, most; and what nothing was compared with."""
    known = distribution(rows)
    head = [
        "| threshold | is | healthy: least, median, most (n) | sick with its code: least, median, most (n) |",
        "|---|---|---|---|",
    ]
    table = [f"| `{n}` | {t:g} | {_range(h)} | {_range(s)} |" for n, t, h, s in known]
    every = {f"{code}.{name}" for code, check in load_registry().checks.items() for name in check.thresholds}
    rest = ", ".join(f"`{name}`" for name in sorted(every - {n for n, *_ in known}))
    return [
        *head,
        *table,
        "",
        f"Compared with nothing here, mostly because scripts, curves, a GPU or several processes are needed: {rest}.",
    ]


def _range(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{min(values):.3g}, {statistics.median(values):.3g}, {max(values):.3g} ({len(values)})"
