"""What each threshold is compared with on the fault bench, healthy and sick: threshold_values.json, made by `python benchmarks/faults/ship.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Spread:
    """Of one quantity over several trainings."""

    least: float
    median: float
    most: float
    n: int

    def __str__(self) -> str:
        return f"{self.least:.3g} to {self.most:.3g} (median {self.median:.3g}, {self.n} trainings)"


@dataclass(frozen=True)
class Distribution:
    """code, threshold: of which check.  sick: trainings with the check's own code injected; None where there were none."""

    code: str
    threshold: str
    healthy: Spread | None
    sick: Spread | None

    def __str__(self) -> str:
        told = [f"{word} {spread}" for word, spread in (("healthy", self.healthy), ("sick", self.sick)) if spread]
        return f"{self.threshold}: {', '.join(told)}"


@cache
def distributions() -> dict[str, tuple[Distribution, ...]]:
    """By code."""
    found: dict[str, tuple[Distribution, ...]] = {}
    for row in json.loads(files("trainingdoctor").joinpath("threshold_values.json").read_text()):
        healthy, sick = (Spread(**row[kind]) if row[kind] else None for kind in ("healthy", "sick"))
        one = Distribution(row["code"], row["threshold"], healthy, sick)
        found[one.code] = (*found.get(one.code, ()), one)
    return found
