"""torchmortem: the context manager of its README around an ordinary loop."""

from pathlib import Path

from loop import Run
from torchmortem import Autopsy

from tools import Finding, Outcome
from trainingdoctor import Training


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Trains inside the autopsy; the layer's name moves from the title to the text."""
    run = Run(training, steps, most=16)
    with Autopsy(run.model, optimizer=run.optimizer) as autopsy, run.until_it_stops():
        for _, inputs, targets in run.batches():
            loss = run.train_step(inputs, targets)
            autopsy.step(loss=loss.item())
    found = [
        Finding(f"{f.detector}: {f.title.split(' in ')[0]}", f.severity.name != "INFO", f"{f.title}. {f.summary}")
        for f in autopsy.get_report().findings
    ]
    return Outcome(found, run.stopped)
