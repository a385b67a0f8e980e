"""What a fault cost a reference training where it was measured: accuracy_cost.json, made by `python benchmarks/anatomy/ship.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from trainingdoctor.finding import Finding, Severity

# Measured at a strength that only their critical findings have.
OF_CRITICAL = frozenset({"data.not_shuffled"})


@dataclass(frozen=True)
class MeasuredCost:
    """points: of test accuracy, in percent, against the healthy twin.  strength: how much of the fault.  n: seeds.

    noise: standard deviation of the twin over its seeds.  conditions: model, epochs, data and device, in words.
    """

    code: str
    strength: str
    points: float
    n: int
    noise: float
    conditions: str

    @property
    def is_noise(self) -> bool:
        """Whether it is less than twice the twin's deviation."""
        return self.points < 2 * self.noise

    def __str__(self) -> str:
        seeds = "one seed" if self.n == 1 else f"{self.n} seeds"
        lost = "nothing beyond noise" if self.is_noise else f"{self.points:.1f} points of test accuracy"
        about = f"{self.strength}; {self.conditions}; {seeds}, twin's deviation {self.noise:.2g}"
        return f"{lost} in a reference training ({about})"


@cache
def measured_costs() -> dict[str, MeasuredCost]:
    """By code; where a code was measured at several strengths, the dearest one."""
    rows = json.loads(files("trainingdoctor").joinpath("accuracy_cost.json").read_text())
    costs = sorted((MeasuredCost(**row) for row in rows), key=lambda cost: cost.points)
    return {cost.code: cost for cost in costs}


def cost_of(finding: Finding) -> MeasuredCost | None:
    """What is to be told with a finding; None where nothing was measured, or only far more of the fault."""
    if finding.code in OF_CRITICAL and finding.severity is not Severity.CRITICAL:
        return None
    return measured_costs().get(finding.code)
