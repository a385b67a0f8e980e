"""torch-surgeon: attached to an ordinary loop; its alerts are its findings."""

from pathlib import Path

from loop import Run
from torch_surgeon import Surgeon

from tools import Finding, Outcome
from trainingdoctor import Training


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Every alert that it gave while the loop ran."""
    run = Run(training, steps, most=32)
    surgeon = Surgeon(run.model, rules="default")
    surgeon.attach()
    with run.until_it_stops():
        for _, inputs, targets in run.batches():
            run.train_step(inputs, targets)
    found = [
        Finding(a["status"], True, f"step {a['step']} {a['status']} {a['layer']} norm={a['norm']:.4e}")
        for a in surgeon.reporter.get_alerts()
    ]
    surgeon.detach()
    return Outcome(found, run.stopped)
