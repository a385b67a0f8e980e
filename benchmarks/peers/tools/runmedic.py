"""runmedic: its command on the log, with the report for machines."""

import json
import subprocess
import sys
from pathlib import Path

from tools import Finding, Outcome


def examine(training: None, steps: int, log: Path) -> Outcome:
    """All findings; 'info' is a remark."""
    command = [sys.executable, "-m", "runmedic", "diagnose", str(log), "--json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    runs = report["runs"] if isinstance(report, dict) else report
    return Outcome(
        [
            Finding(f["check"], f["severity"] != "info", f"{f['title']}. " + "; ".join(f["evidence"]))
            for run in runs
            for f in run["findings"]
        ]
    )
