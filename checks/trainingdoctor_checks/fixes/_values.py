"""What several fixes need: the values that a remedy names, and the one object that a field holds."""

from __future__ import annotations

import re
from typing import Any

from trainingdoctor import Finding
from trainingdoctor.measure.optimizers import several
from trainingdoctor.remedy import NotFixable

# `weight_decay=5e-4`, `betas=(0.9, 0.999)`.
VALUE = r"(-?[\d.]+(?:e-?\d+)?|\([^()]*\)|\[[^\[\]]*\]|True|False)"


def named_value(finding: Finding, name: str) -> str:
    """The value that the remedy names. Raises NotFixable where it names none."""
    found = re.search(rf"\b{name}=\s*{VALUE}", finding.remedy)
    if found is None:
        raise NotFixable(f"no value of {name} follows from this run's numbers")
    return found[1]


def single(value: Any, what: str) -> Any:
    """The object itself, or the only one of a list or dict. Raises NotFixable for several."""
    held = several(value)
    if len(held) != 1:
        raise NotFixable(f"there are {len(held)} of {what}")
    return held[0]


def number(value: float) -> str:
    """As people write it: two digits, no exponent unless it is small."""
    return f"{value:.2g}"
