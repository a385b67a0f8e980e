"""One check's manual: its docstring, with what was measured. `trainingdoctor explain` prints it, the site shows its parts."""

from __future__ import annotations

import re

from trainingdoctor.check import Check
from trainingdoctor.costs import measured_costs
from trainingdoctor.distributions import distributions

HEADINGS = ("What it does", "Why it costs accuracy", "Example", "Remedy", "Thresholds", "Measured")
UNMEASURED = "Measured: no measurement yet."

_HEADING = re.compile(rf"^({'|'.join(HEADINGS)}): ?", re.MULTILINE)


def manual(check: Check) -> str:
    """The docstring, with the cost and the bench's values of its thresholds where they were measured."""
    text, cost = check.manual, measured_costs().get(check.code)
    if cost is not None:
        told = f"Measured: {cost}."
        text = text.replace(UNMEASURED, told) if UNMEASURED in text else f"{text}\nMeasured cost: {cost}."
    return "\n".join((text, *(f"On the fault bench, {told}." for told in distributions().get(check.code, ()))))


def sections(check: Check) -> dict[str, str]:
    """What the docstring says under each of its headings, as it stands there."""
    _, *parts = _HEADING.split(check.manual)
    return {heading: text.strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}
