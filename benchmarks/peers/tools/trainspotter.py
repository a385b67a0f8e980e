"""trainspotter: its command on the log, with the report for machines."""

import json
import subprocess
import sys
from pathlib import Path

from tools import Finding, Outcome


def examine(training: None, steps: int, log: Path) -> Outcome:
    """All findings; 'info' is a remark."""
    command = [str(Path(sys.executable).parent / "trainspotter"), "analyze", str(log), "--output", "json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return Outcome(
        [Finding(f"{f['detector']}: {f['title']}", f["severity"] != "info", f["message"]) for f in report["findings"]]
    )
