"""The rule by which the comparison with other tools decides that a fault was found."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PEERS = Path(__file__).resolve().parent.parent / "benchmarks" / "peers"


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(PEERS))
    import judge

    yield judge
    for name in ("judge", "tools"):
        sys.modules.pop(name, None)


def manual(names: tuple[dict[str, Any], ...]) -> Any:
    from tools import Manual

    return Manual(name="x", install="x", about="", usage="a\n\nb\n", reads_log=False, steps=1, names=names)


def row(*rules: str, outcome: str = "ran", stopped: str | None = None, alarm: bool = True) -> dict[str, Any]:
    findings = [{"rule": rule, "alarm": alarm, "count": 1, "texts": [f"text of {rule}"]} for rule in rules]
    return {"findings": findings, "outcome": outcome, "stopped": stopped, "cpu_seconds": 1.0}


NAMES = (
    {"rule": "R1", "codes": ["lr.too_high"], "lists": ["init.scale"]},
    {"rule": "R2", "text": "absent", "codes": ["lr.too_high"]},
)
FAULTS = {"well": None, "hot": "lr.too_high"}


def verdict(judge: ModuleType, hot: Any, well: Any = None, log: Any = None) -> Mapping[str, Any]:
    rows = {"well": well or row(), "hot": hot}
    logs = {"well": row(), "hot": log or row()}
    return judge.judged(manual(NAMES), rows, FAULTS, logs)


@pytest.mark.parametrize(
    ("hot", "word"),
    [
        (row("R1"), "named"),
        (row("R1", alarm=False), "missed"),
        (row("R2"), "noticed"),
        (row(), "missed"),
        (row(outcome="crashed"), "crashed"),
        (row(outcome="timed out"), "timed out"),
        (row(stopped="RuntimeError: of the tool"), "crashed"),
    ],
)
def test_words_decide(judge: ModuleType, hot: Mapping[str, Any], word: str) -> None:
    assert verdict(judge, hot)["verdicts"] == {"hot": word}


def test_a_cause_among_several_is_listed(judge: ModuleType) -> None:
    faults = {"well": None, "big": "init.scale"}
    result = judge.judged(manual(NAMES), {"well": row(), "big": row("R1")}, faults, {"well": row(), "big": row()})
    assert result["verdicts"] == {"big": "listed"}


def test_what_is_said_of_healthy_trainings_too_is_no_notice(judge: ModuleType) -> None:
    result = verdict(judge, row("R3"), well=row("R3"))
    assert result["verdicts"] == {"hot": "missed"}
    assert result["on_healthy"] == {"well": "R3"}
    assert result["healthy_with_alarms"] == 1


def test_a_training_that_stops_by_itself_is_no_crash_of_the_tool(judge: ModuleType) -> None:
    error = "IndexError: Target 10 is out of bounds."
    assert verdict(judge, row(stopped=error), log=row(stopped=error))["verdicts"] == {"hot": "stopped"}


def test_ours_names_by_its_codes(judge: ModuleType) -> None:
    from tools import manual as read

    said = row("lr.too_high")
    assert judge.verdict(read("trainingdoctor"), said, "lr.too_high", set(), False) == "named"
    assert judge.verdict(read("trainingdoctor"), said, "lr.too_low", set(), False) == "noticed"


def test_every_manual_is_whole(judge: ModuleType) -> None:
    from tools import manuals

    for tool in manuals():
        assert (PEERS / "tools" / f"{tool.name.replace('-', '_')}.py").is_file()
        assert tool.lines > 0
        assert all(entry.get("codes") or entry.get("lists") for entry in tool.names)
