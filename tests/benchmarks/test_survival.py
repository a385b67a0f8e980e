"""Killed by SIGKILL at a random moment, a reference run and a plan of `verify` end with the figures of one that was not."""

import random
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("job", ["reference", "plan"])
def test_a_run_that_is_killed_ends_as_one_that_is_not(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import survival

    found = survival.survive(job, getattr(survival, job), 2, random.Random(3))
    assert (found.kills, found.identical, found.broken_files) == (2, True, 0)
