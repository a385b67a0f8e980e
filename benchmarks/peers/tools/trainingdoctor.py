"""trainingdoctor, in full mode."""

from pathlib import Path

from tools import Finding, Outcome
from trainingdoctor import Severity, Training, diagnose


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """All findings of a full diagnosis."""
    return Outcome([Finding(f.code, f.severity != Severity.INFO, f.message) for f in diagnose(training).findings])
