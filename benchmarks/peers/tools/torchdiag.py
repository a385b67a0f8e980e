"""torchdiag: the five calls of its README, on one batch; its findings are the lines that it prints under a sign."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torchdiag
from loop import Run, batch

from tools import Finding, Outcome, kind
from trainingdoctor import Training

WORDS = ("frozen", "None", "vanishing", "exploding", "not finite", "No parameters changed", "FAILED", "failed")


def examine(training: Training, steps: int, log: Path) -> Outcome:
    """Each call's issues."""
    run = Run(training, 0)
    inputs, targets = batch(training)
    found = issues(torchdiag.summary, run.model)
    found += issues(torchdiag.check_dead_neurons, run.model, inputs)
    found += issues(torchdiag.verify_step, run.model, run.optimizer, run.criterion, inputs, targets)
    with run.until_it_stops():
        run.criterion(run.model(inputs), targets).backward()
        found += issues(torchdiag.check_gradients, run.model)
    found += issues(torchdiag.memory_report)
    return Outcome(found, run.stopped)


def issues(call: Callable[..., Any], *arguments: Any) -> list[Finding]:
    """Runs one report, and takes the lines that it marks (a bullet under 'ISSUES' or 'WARNINGS', or a failed stage)."""
    with redirect_stdout(io.StringIO()) as printed:
        call(*arguments)
    marked = [line.strip(" •✗") for line in printed.getvalue().splitlines() if line.strip()[:1] in ("•", "✗")]
    return [Finding(kind(call.__name__, text, WORDS), True, text) for text in marked]
