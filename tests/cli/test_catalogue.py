"""The generated catalogue is the one in the repository."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_checks_readme_is_up_to_date(tmp_path: Path, typed: Callable[..., Any]) -> None:
    made = typed(tmp_path, "checks", "--format", "markdown").stdout
    assert (Path(__file__).parents[2] / "checks" / "README.md").read_text() == made
