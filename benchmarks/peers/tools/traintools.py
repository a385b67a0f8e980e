"""traintools: the quick start of its README, with the two slow probes every ten steps instead of every two hundred.

`GradientHealthMonitor` gets no clipping norm, since these trainings clip nothing.
"""

from pathlib import Path

from loop import Run
from traintools import BatchInspector, GradientHealthMonitor
from traintools.callbacks.pytorch import TraintoolsTracker

from tools import Finding, Outcome, kind
from trainingdoctor import Training

BATCH = ("labels outside", "nearly constant", "non-finite", "abs max", "dominant class")
GRADIENT = ("non-finite", "vanished", "very large", "ratio is high", "ratio is tiny", "no gradients found")


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """The warnings of the batch and gradient reports, and the flags of the plasticity probe."""
    run, found = Run(training, steps), []
    tracker = TraintoolsTracker(run.model, run.criterion, gns_freq=10, plasticity_freq=10)
    inspector, health = BatchInspector(expected_num_classes=10), GradientHealthMonitor()
    with run.until_it_stops():
        for step, inputs, targets in run.batches():
            seen = inspector.inspect(inputs, targets, step=step)
            found += [Finding(kind("batch", text, BATCH), True, f"step {step}: {text}") for text in seen.warnings]
            run.optimizer.zero_grad()
            run.criterion(run.model(inputs), targets).backward()
            grads = health.inspect(run.model, step=step, lr=run.optimizer.param_groups[0]["lr"])
            found += [
                Finding(kind("gradient", text, GRADIENT), True, f"step {step}: {text}") for text in grads.warnings
            ]
            run.optimizer.step()
            tracker.step(step=step, inputs=inputs, targets=targets)
    for result in tracker.plasticity_history.results:
        found += [Finding("plasticity", True, str(layer)) for layer in result.layers if layer.flags]
    return Outcome(found, run.stopped)
