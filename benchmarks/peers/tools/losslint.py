"""losslint: its command on the log, with the report for machines."""

import json
import subprocess
import sys
from pathlib import Path

from tools import Finding, Outcome


def examine(training: None, steps: int, log: Path) -> Outcome:
    """All findings; 'info' is a remark."""
    command = [str(Path(sys.executable).parent / "losslint"), "check", str(log), "--format", "json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return Outcome([Finding(f["check"], f["severity"] != "info", f["message"]) for f in report["findings"]])
