"""The bench's arithmetic: what counts as found, first, precise; and its plan."""

import json
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "benchmarks" / "results" / "faults.json"


def row(right: list[list[str]], standing: dict[str, str], **more: Any) -> dict[str, Any]:
    base = {
        "name": "x",
        "right": right,
        "standing": standing,
        "roots": list(standing),
        "consequences": [],
        "seconds": 1.0,
    }
    return {**base, "strength": ["gross"] * len(right), **more}


def test_a_fault_is_found_by_its_code_or_one_that_names_it_too() -> None:
    from score import judged

    assert judged(row([["lr.too_high"]], {"lr.too_high": ""})).word == "ok"
    assert judged(row([["init.constant", "init.zero"]], {"init.zero": ""})).word == "ok"
    assert judged(row([["lr.too_high"]], {"loss.diverges": ""})).word == "MISSED"
    assert judged(row([["a.b"], ["c.d"]], {"a.b": ""})).found == 1


def test_a_symptom_that_leads_is_not_first() -> None:
    from score import judged

    verdict = judged(row([["lr.too_high"]], {"loss.diverges": "", "lr.too_high": ""}))
    assert verdict.word == "not first"
    assert verdict.unexpected == ("loss.diverges",)


def test_declared_consequences_and_explained_symptoms_are_expected() -> None:
    from score import judged

    said = {"a.b": "", "loss.diverges": "", "lr.too_low": "", "x.y": ""}
    verdict = judged(row([["a.b"]], said, consequences=["loss.*"], explained={"a.b": ["lr.too_low"]}))
    assert verdict.unexpected == ("x.y",)


def test_score_counts_alarms_on_healthy_trainings_against_precision() -> None:
    from score import score

    rows = [row([["a.b"]], {"a.b": ""}), row([], {"c.d": ""}), row([], {}), row([["a.b"]], {}, crashed={"e.f": "boom"})]
    figures = score(rows)
    assert (figures["detection"], figures["precision"], figures["root_cause_first"]) == (0.5, 0.5, 0.5)
    assert (figures["healthy_with_a_warning"], figures["crashes"], figures["sick"]) == (1, 1, 2)


def test_the_plan_is_as_large_as_promised_and_names_are_unique() -> None:
    from plan import jobs, pairs, regression, sick

    names = [job.name for job in jobs()]
    assert len(names) == len(set(names))
    assert len(list(sick())) + len(list(pairs())) >= 300
    assert len(list(pairs())) >= 30
    rows = json.loads(TABLE.read_text())["runs"]
    assert 35 <= len(regression({row["name"]: row["seconds"] for row in rows})) <= 50


def test_every_fault_has_a_check_of_its_code() -> None:
    from plan import FAULTS as faults

    from trainingdoctor.registry import load_registry

    known = load_registry().checks
    assert [f.code for f in faults if f.code not in known] == []
