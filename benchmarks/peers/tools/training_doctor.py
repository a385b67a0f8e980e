"""training-doctor: the log is given to it line by line, as in its README's first option."""

import csv
from pathlib import Path

from training_doctor import Doctor

from tools import Finding, Outcome

SERIES = ("loss", "lr", "grad_norm", "eval_loss")


def examine(training: None, steps: int, log: Path) -> Outcome:
    """Every diagnosis that it gave on the way."""
    doctor = Doctor()
    with log.open(newline="") as file:
        for row in csv.DictReader(file):
            doctor.log(step=int(row["step"]), **{name: float(row[name]) for name in SERIES if row[name]})
    return Outcome(
        [
            Finding(
                d.detector_name, d.severity.value != "info", f"{d.problem}. " + "; ".join(str(e) for e in d.evidence)
            )
            for d in doctor.diagnoses
        ]
    )
