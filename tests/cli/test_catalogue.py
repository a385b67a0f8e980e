"""The generated catalogue is the one in the repository."""

import subprocess
import sys
from pathlib import Path


def test_checks_readme_is_up_to_date() -> None:
    command = [sys.executable, "-m", "trainingdoctor", "checks", "--format", "markdown"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (Path(__file__).parents[2] / "checks" / "README.md").read_text() == made
