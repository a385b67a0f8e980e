"""neural-net-checklist: its one call for classification, on one batch of 16 samples (all of it on one core is slow).

It brings its own loss and optimizer; what it cannot be given cannot be found by it.
"""

import copy
import re
from pathlib import Path

from loop import Run, batch
from neural_net_checklist import torch_diagnostics

from tools import Finding, Outcome
from trainingdoctor import Training


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """The assertion that fails, if one does."""
    run = Run(training, 0)
    samples = batch(training, 16)
    with run.until_it_stops():
        try:
            torch_diagnostics.assert_all_for_classification_cross_entropy_loss(
                lambda: copy.deepcopy(run.model), samples, num_classes=10
            )
        except AssertionError as failed:
            said = str(failed)
            return Outcome([Finding(re.sub(r"[\d.(].*", "", said.split(":", maxsplit=1)[0]).strip(), True, said)])
    return Outcome([], run.stopped)
