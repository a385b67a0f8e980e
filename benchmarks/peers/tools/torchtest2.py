"""torchtest2: its one call on one batch (of 16 samples, as in its README)."""

from pathlib import Path

from loop import Run, batch
from torchtest2 import Status, check_model

from tools import Finding, Outcome
from trainingdoctor import Training


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Warnings and failures of the report."""
    inputs, targets = batch(training, 16)
    report = check_model(
        training.model, inputs, targets, loss_fn=training.criterion, optimizer=Run(training, 0).optimizer
    )
    bad = (Status.WARN, Status.FAIL)
    return Outcome([Finding(r.name, True, f"{r.status} {r.message}") for r in report.results if r.status in bad])
