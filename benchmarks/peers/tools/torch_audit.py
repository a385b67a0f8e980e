"""torch-audit: its README's zero-touch mode, every step audited."""

from pathlib import Path

from loop import Run
from torch_audit import autopatch

from tools import Finding, Outcome
from trainingdoctor import Training


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Patches the model and the optimizer, trains a few steps, and asks for the result."""
    run = Run(training, steps)
    auditor = autopatch(run.model, optimizer=run.optimizer, every_n_steps=1, run_static=True, run_init=True)
    with run.until_it_stops():
        for _, inputs, targets in run.batches():
            run.train_step(inputs, targets)
    result = auditor.finish(report=False)
    return Outcome([Finding(f.rule_id, f.severity.value != "INFO", f.message) for f in result.findings], run.stopped)
