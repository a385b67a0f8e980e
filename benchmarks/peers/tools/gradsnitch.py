"""gradsnitch: `lint` over the log, which holds what its `watch` would have captured (the update ratio too)."""

from pathlib import Path

import gradsnitch

from tools import Finding, Outcome


def examine(training: None, steps: int, log: Path) -> Outcome:
    """All findings; it has no level below a warning."""
    return Outcome([Finding(f.code, True, f"{f.name}. {f.evidence}") for f in gradsnitch.lint_csv(str(log))])
