"""The report for people, at the width of a terminal."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import jsonschema
from rich.console import Console

import trainingdoctor
from trainingdoctor import Finding, critical, info, warning
from trainingdoctor.check import Cost
from trainingdoctor.errors import Reason
from trainingdoctor.render.json import render_json
from trainingdoctor.render.terminal import print_report
from trainingdoctor.report import Outcome, Report, Result

SCHEMA = json.loads((Path(trainingdoctor.__file__).parent / "report.schema.json").read_text())
CODE = "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=164)  # and scheduler.step() once per epoch"
PROSE = "Add to the training transforms, before ToTensor: RandomCrop(32, padding=4) and RandomHorizontalFlip()"


def unwell(code: str, *findings: Finding, explains: tuple[str, ...] = ()) -> Result:
    said = tuple(replace(f, code=code, explains=explains) for f in findings)
    return Result(code, Outcome.UNWELL, Cost.PROBE, findings=said)


REPORT = Report(
    "my_config.py",
    (
        unwell("lr.too_high", warning("Too high.", CODE, where="optimizer", value=float("nan")), explains=("loss.*",)),
        unwell("loss.diverges", critical("It diverges " + "and diverges " * 10, PROSE)),
        unwell("data.subset", info("word " * 30, PROSE)),
        Result("a.crashed", Outcome.CRASHED, Cost.TRAIN, "ZeroDivisionError: " + "oops " * 30, traceback="Traceback ..."),
        Result("a.missing", Outcome.SKIPPED, Cost.PROBE, "needs epochs: add `epochs = 3`", Reason.MISSING),
        Result("b.missing", Outcome.SKIPPED, Cost.PROBE, "needs epochs: add `epochs = 3`", Reason.MISSING),
        Result("a.foreign", Outcome.SKIPPED, Cost.PROBE, "no BatchNorm", Reason.NOT_APPLICABLE),
        Result("a.healthy", Outcome.HEALTHY, Cost.INSPECT, seconds=1.0),
    ),
    seconds=2.0,
    broken=("plug-in 'x' (y) was not loaded: ImportError: z",),
)  # fmt: skip


def drawn(report: Report, *, verbose: bool = False, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width)
    with console.capture() as text:
        print_report(report, console, verbose=verbose)
    return [line.rstrip() for line in text.get().splitlines()]


def test_the_cause_leads_and_its_symptom_is_folded_under_it() -> None:
    lines = drawn(REPORT)
    assert lines[0] == "✗ unwell  my_config.py  1 root cause: 1 critical, 1 warning, 1 info"
    assert "! lr.too_high  warning, 85% sure" in lines
    assert [line for line in lines if line.startswith(("✗ loss", "! loss"))] == []
    assert any(line.startswith("  ↳ explains loss.diverges: It diverges") for line in lines)


def test_code_can_be_copied_whole_and_prose_is_wrapped() -> None:
    lines = drawn(REPORT)
    assert "    " + CODE in lines
    assert max(len(line) for line in lines if CODE not in line) <= 80
    assert f"    {PROSE[:60]}" in "\n".join(drawn(REPORT, verbose=True))


def test_what_was_not_examined_is_said_with_the_reason_once() -> None:
    lines = drawn(REPORT)
    assert "  - needs epochs: add `epochs = 3`: a.missing, b.missing" in lines
    assert not any("no BatchNorm" in line for line in lines)
    assert any(line.startswith("  † a.crashed crashed: ZeroDivisionError: oops") for line in lines)
    assert any("plug-in 'x'" in line for line in lines)
    assert lines[-1] == "4 checks ran, 1 do not apply, 2 skipped, 1 crashed, 2.0 s"


def test_continued_lines_of_a_list_are_indented() -> None:
    lines = drawn(REPORT)
    first = next(i for i, line in enumerate(lines) if line.startswith("  i data.subset"))
    assert lines[first + 1].startswith("    word")


def test_too_little_examined_is_said() -> None:
    assert "too much could not be examined" in drawn(Report("x", REPORT.results[4:6]))[0]


def test_a_report_with_crashes_and_skips_follows_the_schema() -> None:
    report = json.loads(render_json(REPORT))
    jsonschema.validate(report, SCHEMA)
    assert {c["outcome"] for c in report["checks"]} == {"healthy", "unwell", "skipped", "crashed"}
    assert report["findings"][0]["evidence"] == {"value": "nan"}
