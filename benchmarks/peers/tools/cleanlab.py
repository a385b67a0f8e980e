"""cleanlab: Datalab with labels and features; it needs no trained model for these.

What Datalab says of the data set as a whole (imbalance, order, missing values) counts as an alarm. Its lists of single
samples to look at (outliers, near duplicates, label errors by neighbours) are never empty on real images, and count
as remarks.
"""

from itertools import islice
from pathlib import Path

import numpy as np
import torch
from cleanlab import Datalab

from tools import Finding, Outcome
from trainingdoctor import Training

SAMPLES = 2048
OF_SAMPLES = ("outlier", "near_duplicate", "label", "underperforming_group")


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """One finding for every kind of issue that has examples."""
    size = len(batch_of(training)[1])
    batches = list(islice(training.train_loader, max(1, SAMPLES // size)))
    labels = torch.cat([y for _, y in batches]).numpy()
    features = torch.cat([x for x, _ in batches]).flatten(1).numpy().astype(np.float32)
    lab = Datalab(data={"labels": labels}, label_name="labels", task="classification")
    lab.find_issues(features=features)
    rows = lab.get_issue_summary().itertuples()
    return Outcome(
        [
            Finding(r.issue_type, r.issue_type not in OF_SAMPLES, f"{r.num_issues} issues, score {r.score:.3f}")
            for r in rows
            if r.num_issues
        ]
    )


def batch_of(training: Training) -> tuple[torch.Tensor, torch.Tensor]:
    """The first batch."""
    return next(iter(training.train_loader))
