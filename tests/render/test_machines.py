"""SARIF and JUnit as the programs that read them want them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from tests.render.test_formats import NASTY
from tests.render.test_terminal import REPORT, unwell

from trainingdoctor import warning
from trainingdoctor.baseline import Baseline
from trainingdoctor.render.junit import render_junit
from trainingdoctor.render.sarif import render_sarif
from trainingdoctor.report import Report

# The schema of OASIS; the NOTICE beside it says where it comes from.
SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0-rtm.5.json").read_text())
PLACED = Report(
    "train.py",
    (
        unwell("lr.too_high", warning("Too high.", "lr=0.1", where="optimizer.param_groups[0].lr")),
        unwell("loop.zero_grad_missing", warning("Never.", "optimizer.zero_grad()", where="train.py:34")),
        unwell("loss.softmax_before_cross_entropy", warning("Twice.", "no softmax", where=("head", "my model.py:7"))),
        unwell("mylab.unknown", warning("x", "y", where="elsewhere.py:1")),
    ),
)


def run_of(report: Report, source: Path | None = None) -> dict[str, Any]:
    log = json.loads(render_sarif(report, source))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    run: dict[str, Any] = log["runs"][0]
    return run


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The script in a folder of a repository, with a module beside it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "ml" / "nets").mkdir(parents=True)
    (tmp_path / "ml" / "train.py").touch()
    (tmp_path / "ml" / "nets" / "my model.py").touch()
    return tmp_path


@pytest.mark.parametrize("report", [REPORT, NASTY, PLACED, Report("x.py", ())])
def test_sarif_follows_the_schema(report: Report) -> None:
    run_of(report)
    listed = Baseline(Path("known.json")).updated(report, "x")
    assert {r["baselineState"] for r in run_of(listed.compared(report, "x"))["results"]} <= {"unchanged"}


def test_results_are_at_paths_of_the_repository(repository: Path) -> None:
    results = run_of(PLACED, repository / "ml" / "train.py")["results"]
    places = [r["locations"][0]["physicalLocation"] for r in results]
    found = {
        r["ruleId"]: (p["artifactLocation"]["uri"], p["region"]["startLine"])
        for r, p in zip(results, places, strict=True)
    }
    assert found == {
        "lr.too_high": ("ml/train.py", 1),
        "loop.zero_grad_missing": ("ml/train.py", 34),
        "loss.softmax_before_cross_entropy": ("ml/nets/my%20model.py", 7),
        "mylab.unknown": ("elsewhere.py", 1),
    }
    assert {p["artifactLocation"]["uriBaseId"] for p in places} == {"%SRCROOT%"}
    assert str(repository) not in render_sarif(PLACED, repository / "ml" / "train.py")


def test_what_has_no_line_of_its_own_is_where_it_is_built(repository: Path) -> None:
    source = repository / "ml" / "train.py"
    source.write_text("net = Net()\n\noptimizer = SGD(\n    net.parameters(),\n    lr=3,\n)\n")
    machine = unwell("env.driver", warning("Old.", "update", where="driver"))
    results = run_of(replace(PLACED, results=(*PLACED.results, machine)), source)["results"]
    lines = {r["ruleId"]: r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in results}
    assert lines["lr.too_high"] == 5
    assert lines["loop.zero_grad_missing"] == 34
    assert lines["env.driver"] == 1


def test_rules_have_the_manual_and_a_level() -> None:
    rules = {r["id"]: r for r in run_of(PLACED)["tool"]["driver"]["rules"]}
    rule = rules["lr.too_high"]
    assert rule["shortDescription"]["text"]
    assert "What it does" in rule["help"]["text"]
    assert rule["defaultConfiguration"] == {"level": "warning"}
    assert "help" not in rules["mylab.unknown"]


def test_a_fingerprint_stays_when_numbers_and_lines_change() -> None:
    def prints(report: Report) -> list[str]:
        return [r["partialFingerprints"]["codeAndPlace/v1"] for r in run_of(report)["results"]]

    finding = PLACED.results[1].findings[0]
    moved = replace(finding, message="Never, in 40 steps.", where=("train.py:99",))
    elsewhere = replace(finding, where=("other.py:34",))
    one, two, three = (prints(Report("train.py", (unwell(finding.code, f),))) for f in (finding, moved, elsewhere))
    assert one == two != three
    assert len(set(prints(PLACED))) == len(PLACED.results)


def test_crashed_checks_are_notifications_and_no_results() -> None:
    invocation = run_of(REPORT)["invocations"][0]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("a.crashed crashed")
    assert run_of(PLACED)["invocations"][0]["executionSuccessful"]


def test_junit_has_the_shape_that_ci_servers_read() -> None:
    suite = ElementTree.fromstring(render_junit(REPORT))
    assert suite.tag == "testsuite"
    assert {"name", "tests", "failures", "errors", "skipped", "time"} == set(suite.attrib)
    for case in suite:
        assert (case.tag, set(case.attrib)) == ("testcase", {"classname", "name", "time"})
        assert [child.tag for child in case] in ([], ["failure"], ["error"], ["skipped"])
        assert all(child.get("message") for child in case)
        assert float(case.get("time", "-1")) >= 0


def test_junit_skips_what_is_known() -> None:
    listed = Baseline(Path("known.json")).updated(REPORT, "x")
    suite = ElementTree.fromstring(render_junit(listed.compared(REPORT, "x")))
    assert suite.get("failures") == "0"
    skipped = suite.find("testcase[@classname='lr']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "known: Too high."
