"""The curves of a finished run, where the user gave them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserCodeError, UserError
from trainingdoctor.evidence import evidence
from trainingdoctor.history.curves import LearningCurves
from trainingdoctor.history.read import read_history
from trainingdoctor.measure.targets import Targets


@evidence(cost="probe", optional=("num_classes", "targets"))
def learning_curves(history: Any, num_classes: int | None, targets: Targets | None) -> LearningCurves:
    """Read them from the file, unless they are given as such."""
    seen = len(targets.counts) if targets is not None and targets.kind == "indices" else None
    curves = history if isinstance(history, LearningCurves) else _read(history)
    return replace(curves, classes=curves.classes or num_classes or seen)


def _read(path: Any) -> LearningCurves:
    try:
        return read_history(Path(path))
    except (UserError, TypeError) as error:
        raise UserCodeError("history", said=str(error)) from error
