"""`compare` and `history` where there is nothing to compare or to list."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no JSON", "one.json is no JSON report: "),
        ("[]", "one.json is no report of trainingdoctor: it has no findings"),
        ('{"epochs": 3}', "one.json is no report of trainingdoctor: it has no findings"),
        (None, "there is no kept run 'one.json' with a report in "),
    ],
)
def test_what_is_no_report_is_one_sentence(
    text: str | None, said: str, tmp_path: Path, typed: Callable[..., Any]
) -> None:
    if text is not None:
        (tmp_path / "one.json").write_text(text)
    result = typed(tmp_path, "compare", "one.json", "one.json")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"trainingdoctor: {said}")
    assert result.stderr.count("\n") == 1


def test_no_runs_are_a_sentence_and_nothing_is_made(tmp_path: Path, typed: Callable[..., Any]) -> None:
    result = typed(tmp_path, "history")
    assert result.exit_code == 0
    assert "no run was kept" in result.stdout
    assert list(tmp_path.iterdir()) == []
