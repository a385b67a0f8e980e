"""`LearningCurves`: what a finished run reported, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from trainingdoctor.history.columns import Role, role_of


@dataclass(frozen=True)
class EpochRow:
    """One epoch, or the stretch between two evaluations. Accuracies in percent; what was not reported is None."""

    epoch: float
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    train_loss: float | None = None
    test_loss: float | None = None
    rate: float | None = None


@dataclass(frozen=True)
class LearningCurves:
    """All of it, in order. source: the file's name.  classes: how many there are, where that is known."""

    rows: tuple[EpochRow, ...]
    source: str = ""
    classes: int | None = None

    def of(self, name: str) -> list[float]:
        """The reported values of one column, None left out."""
        return [value for row in self.rows if (value := getattr(row, name)) is not None]

    def pairs(self) -> list[tuple[float, float]]:
        """Training and test accuracy of the epochs that have both."""
        rows = ((r.train_accuracy, r.test_accuracy) for r in self.rows)
        return [(a, b) for a, b in rows if a is not None and b is not None]


def curves_of(records: Iterable[tuple[float, Mapping[str, float]]], source: str) -> LearningCurves:
    """From (epoch, values by column name): the last value of each column in each epoch, in percent where it is an accuracy."""
    merged: dict[float, dict[Role, float]] = {}
    for epoch, values in records:
        row = merged.setdefault(epoch, {})
        # A mean over the epoch says more than its last step.
        for name, value in sorted(values.items(), key=lambda item: "epoch" in item[0].lower()):
            if (role := role_of(name)) is not None:
                row[role] = value
    rows = [EpochRow(epoch, **_fields(values)) for epoch, values in sorted(merged.items()) if values]
    return LearningCurves(_in_percent(rows), source)


def _fields(values: Mapping[Role, float]) -> dict[str, float]:
    """By column; errors as the accuracy that is left of 100 %, or of 1."""
    fields = {role.column: value for role, value in values.items() if not role.is_error}
    errors = {role.column: value for role, value in values.items() if role.is_error}
    return {**fields, **{column: (100.0 if value > 1 else 1.0) - value for column, value in errors.items()}}


def _in_percent(rows: list[EpochRow]) -> tuple[EpochRow, ...]:
    """Accuracies between 0 and 1 are shares; both columns are in the same unit."""
    reported = [a for r in rows for a in (r.train_accuracy, r.test_accuracy) if a is not None and math.isfinite(a)]
    if not reported or max(reported) > 1.0:
        return tuple(rows)
    return tuple(
        replace(r, train_accuracy=_percent(r.train_accuracy), test_accuracy=_percent(r.test_accuracy)) for r in rows
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
