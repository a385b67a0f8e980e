"""trainproof: its `epoch` command on the log, and its check of the targets over 40 batches."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

from trainproof.objective import check_objective

from tools import Finding, Outcome
from trainingdoctor import Training

QUIET = ("PASS", "INFO")


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Both reports."""
    command = [sys.executable, "-m", "trainproof", "epoch", str(log), "--format", "csv", "--json"]
    reports = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)["reports"]
    found = [finding for report in reports for finding in report["findings"]]
    targets = [batch[1].tolist() for batch in islice(training.train_loader, 40)]
    found += check_objective(num_classes=10, targets=targets)
    return Outcome(
        [Finding(f["id"], f["level"] not in QUIET, f"{f['message']} {f['evidence']}".strip()) for f in found]
    )
