"""The bench is a folder that is run, not a package that is installed."""

import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "faults"


@pytest.fixture(autouse=True)
def bench_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its modules import one another by name."""
    monkeypatch.setattr(sys, "path", [str(FAULTS), *sys.path])
