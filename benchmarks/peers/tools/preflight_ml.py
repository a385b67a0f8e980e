"""preflight-ml: what its command runs on the two loaders, the model and the loss."""

from pathlib import Path

import preflight.checks.model  # noqa: F401  the command imports it only for a model given as a file
from preflight.registry import Severity
from preflight.runner import run_checks

from tools import Finding, Outcome, kind
from trainingdoctor import Training

WORDS = ("no gradient", "zero gradient", "exploding", "failed", "unexpected error")


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Every check that did not pass."""
    results = run_checks(
        dataloader=training.train_loader,
        model=training.model,
        loss_fn=training.criterion,
        config={"val_dataloader": training.val_loader},
    )
    return Outcome(
        [
            Finding(kind(r.name, part, WORDS), r.severity != Severity.INFO, f"{part} {r.fix_hint or ''}".strip())
            for r in results
            if not r.passed
            for part in r.message.split("; ")
        ]
    )
