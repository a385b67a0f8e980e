"""torcheck: the checks of its README's five minutes, among them that the outputs are no probabilities."""

from pathlib import Path

import torcheck
from loop import Run

from tools import Finding, Outcome
from trainingdoctor import Training

# What its messages say, word for word.
KINDS = {
    "should change": "changing",
    "contains NaN": "nan",
    "contains inf": "inf",
    "all within the range": "range",
    "doesn't belong to any optimizer": "unregistered",
}


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """It raises what it finds; that ends the loop."""
    run = Run(training, steps)
    with run.until_it_stops():
        torcheck.register(run.optimizer)
        torcheck.add_module_changing_check(run.model, module_name="model")
        torcheck.add_module_nan_check(run.model, module_name="model")
        torcheck.add_module_inf_check(run.model, module_name="model")
        torcheck.add_module_output_range_check(run.model, output_range=(0, 1), negate_range=True, module_name="model")
        for _, inputs, targets in run.batches():
            run.train_step(inputs, targets)
    said = run.stopped or ""
    found = [Finding(kind, True, said) for words, kind in KINDS.items() if words in said]
    return Outcome(found, None if found else run.stopped)
