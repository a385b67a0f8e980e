"""The rounds of looking and changing, on examinations made by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trainingdoctor import Cost, UserError, warning
from trainingdoctor.observing.places import Place
from trainingdoctor.remedy import Proposal, Replace
from trainingdoctor.remedy.cure import Physician, Texts
from trainingdoctor.remedy.examine import Examination
from trainingdoctor.report import Outcome, Report, Result

Rule = Callable[[str], list[tuple[str, str, str]]]


@pytest.fixture(name="file")
def file_(tmp_path: Path) -> Path:
    file = tmp_path / "config.py"
    file.write_text("a = 1\nb = 1\n")
    return file


def physician(file: Path, rule: Rule, **more: object) -> Physician:
    """rule: from the text to (code, what is replaced, by what): the finding, and its fix."""

    def examine(texts: Texts) -> Examination:
        text = texts.get(file, file.read_text())
        proposals, results = [], []
        for code, old, new in rule(text):
            finding = replace(warning(f"{code} stands", "change it"), code=code)
            results.append(Result(code, Outcome.UNWELL, Cost.INSPECT, findings=(finding,)))
            before = text[: text.index(old)]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
            edits = (Replace(Place(file, line, column, line, column + len(old)), new),) if new else ()
            proposals.append(Proposal(finding, "Change it.", edits, "" if new else "it cannot be"))
        return Examination(Report("config.py", tuple(results)), tuple(proposals))

    return Physician(examine, more.pop("begins", lambda _: None), **more)  # type: ignore[arg-type]


def one(text: str) -> list[tuple[str, str, str]]:
    return [("a.one", "1", "2")] if "a = 1" in text else []


def test_a_fix_that_works_is_kept(file: Path) -> None:
    cure = physician(file, one).cure()
    assert cure.patch.after[file] == "a = 2\nb = 1\n"
    assert cure.cured == ("a.one",)
    assert cure.before.root_causes == ("a.one",)
    assert not cure.after.findings
    assert not cure.left


def test_nothing_to_fix_changes_nothing(file: Path) -> None:
    cure = physician(file, lambda _: []).cure()
    assert not cure.patch.after
    assert cure.before is cure.after


def test_what_comes_to_light_is_fixed_in_the_next_round(file: Path) -> None:
    def rule(text: str) -> list[tuple[str, str, str]]:
        return one(text) or ([("b.one", "b = 1", "b")] if "b = 1" in text else [])

    def later(text: str) -> list[tuple[str, str, str]]:
        return one(text) or ([("a.two", "2", "3")] if "a = 2" in text else [])

    cure = physician(file, later).cure()
    assert cure.patch.after[file] == "a = 3\nb = 1\n"
    assert [p.code for p in cure.first] == ["a.one"]
    assert cure.cured == ("a.one", "a.two")
    assert rule("b = 1")


def test_a_fix_after_which_the_finding_stands_is_taken_back(file: Path) -> None:
    def stubborn(text: str) -> list[tuple[str, str, str]]:
        digit = text[4]
        return [("a.one", digit, str(int(digit) + 1))]

    cure = physician(file, stubborn).cure()
    assert not cure.patch.after
    assert "still stands" in cure.left[0].reason


def test_the_fixes_that_work_are_kept_when_another_one_is_taken_back(file: Path) -> None:
    def both(text: str) -> list[tuple[str, str, str]]:
        return [*one(text), ("b.one", text.split("b = ")[1][0], "7")]

    cure = physician(file, both).cure()
    assert cure.cured == ("a.one",)
    assert [p.code for p in cure.left] == ["b.one"]


def test_what_cannot_be_fixed_is_left_with_its_reason(file: Path) -> None:
    cure = physician(file, lambda _: [("a.one", "1", "")]).cure()
    assert [(p.code, p.reason) for p in cure.left] == [("a.one", "it cannot be")]


def test_a_change_with_which_nothing_begins_is_not_made(file: Path) -> None:
    def begins(texts: Texts) -> None:
        if "a = 2" in texts.get(file, ""):
            raise UserError("config.py raised NameError")

    cure = physician(file, one, begins=begins).cure()
    assert not cure.patch.after
    assert cure.left[0].reason == "with the change, config.py raised NameError"


def test_what_failed_before_the_change_does_not_speak_against_it(file: Path) -> None:
    def begins(_: Texts) -> None:
        raise UserError("the loss raises")

    assert physician(file, one, begins=begins).cure().cured == ("a.one",)


def test_what_is_not_chosen_is_left(file: Path) -> None:
    cure = physician(file, one, choose=lambda *_: False).cure()
    assert not cure.patch.after
    assert cure.left[0].reason == "it was not chosen"
