"""What a baseline lists is known, however its numbers change; what is new is new."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trainingdoctor import UserError, info, warning
from trainingdoctor.baseline import Baseline, Entry, read_baseline
from trainingdoctor.check import Cost
from trainingdoctor.cli.exits import exit_code
from trainingdoctor.errors import Reason
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.report import Outcome, Report, Result

LAYERS = tuple(f"layer{i}.{j}.bn1" for i in range(1, 4) for j in range(6))


def found(code: str, *where: str, message: str = "The rate is 0.5.") -> Result:
    finding = replace(warning(message, "lr=0.1", where=where), code=code)
    return Result(code, Outcome.UNWELL, Cost.INSPECT, findings=(finding,))


def without(code: str, reason: str = "no BatchNorm", why: Reason = Reason.NOT_APPLICABLE) -> Result:
    return Result(code, Outcome.SKIPPED, Cost.INSPECT, reason, why)


BEFORE = Report("train.py", (found("lr.too_high", "train.py:34"), found("batchnorm.momentum", *LAYERS)))


def known(report: Report) -> dict[str, bool]:
    return {f.code: f.known for f in report.findings}


def baseline(folder: Path, report: Report = BEFORE) -> Baseline:
    Baseline(folder / "known.json").updated(report, "train.py").write()
    return read_baseline(folder / "known.json")


def test_what_is_listed_is_known_and_does_not_fail(tmp_path: Path) -> None:
    listed = baseline(tmp_path)
    moved = replace(
        BEFORE, results=(found("lr.too_high", "train.py:51", message="The rate is 0.7."), BEFORE.results[1])
    )
    report = listed.compared(moved, "train.py")
    assert known(report) == {"lr.too_high": True, "batchnorm.momentum": True}
    assert exit_code(report, Severity.WARNING) == 0
    assert report.verdict == "unwell"
    more = replace(moved, results=(*moved.results, found("decay.missing", "optimizer.param_groups[0].weight_decay")))
    assert exit_code(listed.compared(more, "train.py"), Severity.WARNING) == 1


def test_the_same_fault_elsewhere_is_new(tmp_path: Path) -> None:
    listed = baseline(tmp_path)
    elsewhere = replace(BEFORE, results=(found("lr.too_high", "model.py:34"), found("batchnorm.momentum", "stem.bn")))
    assert not any(known(listed.compared(elsewhere, "train.py")).values())
    assert not any(known(listed.compared(BEFORE, "other.py")).values())


def test_a_deeper_net_has_the_same_fault() -> None:
    finding = BEFORE.results[1].findings[0]
    listed = Entry.of(finding, "x")
    assert listed.where == ("layer*.*.bn*",)
    assert listed.covers(Entry.of(replace(finding, where=(*LAYERS, "layer4.0.bn1")), "x"))
    assert listed.covers(Entry.of(replace(finding, where=LAYERS[:2]), "x"))
    assert not listed.covers(Entry.of(replace(finding, where=()), "x"))
    assert Entry("x", "a.b", ("a", "b")).covers(Entry("x", "a.b", ("b",)))


def test_what_is_gone_is_said_unless_nobody_looked(tmp_path: Path) -> None:
    listed = baseline(tmp_path)
    cured = Report("train.py", (Result("lr.too_high", Outcome.HEALTHY, Cost.INSPECT), without("batchnorm.momentum")))
    report = listed.compared(cured, "train.py")
    assert report.baseline is not None
    assert [code for code, _ in report.baseline.gone] == ["batchnorm.momentum", "lr.too_high"]
    unseen = (
        without("lr.too_high", "left out by --quick", Reason.QUICK),
        without("batchnorm.momentum", "ignored: as in the paper"),
    )
    partial = Report("train.py", unseen)
    assert listed.compared(partial, "train.py").baseline == replace(report.baseline, gone=())
    assert listed.updated(partial, "train.py").entries == listed.entries
    assert listed.updated(cured, "train.py").entries == ()


def test_the_file_is_sorted_and_holds_other_trainings(tmp_path: Path) -> None:
    listed = baseline(tmp_path)
    both = listed.updated(Report("a.py", (found("lr.too_high"),)), "a.py")
    both.write()
    written = json.loads(listed.file.read_text())
    assert [(e["target"], e["code"]) for e in written["known"]] == [
        ("a.py", "lr.too_high"),
        ("train.py", "batchnorm.momentum"),
        ("train.py", "lr.too_high"),
    ]
    assert read_baseline(listed.file) == both
    assert list(tmp_path.iterdir()) == [listed.file]


def test_infos_are_listed_as_well(tmp_path: Path) -> None:
    note: Finding = replace(info("A tenth.", "all of it"), code="data.subset")
    report = Report("train.py", (Result("data.subset", Outcome.UNWELL, Cost.INSPECT, findings=(note,)),))
    assert exit_code(baseline(tmp_path, report).compared(report, "train.py"), Severity.INFO) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "--update-baseline makes it"),
        ("{", "is no JSON"),
        ("\x00\xff", "is no JSON"),
        ("[]", "is no baseline of trainingdoctor"),
        ('{"findings": []}', "is no baseline of trainingdoctor"),
        ('{"trainingdoctor_baseline": 99, "known": []}', "has the form 99"),
        ('{"trainingdoctor_baseline": 1}', "must list tables"),
        ('{"trainingdoctor_baseline": 1, "known": [{"code": "a.b"}]}', "must list tables"),
        ('{"trainingdoctor_baseline": 1, "known": [{"target": "a", "code": "a.b", "where": [1]}]}', "must list tables"),
    ],
)
def test_what_is_no_baseline_is_one_sentence(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "known.json"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=said) as raised:
        read_baseline(file)
    assert "\n" not in str(raised.value)


def test_a_folder_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_baseline(tmp_path)
