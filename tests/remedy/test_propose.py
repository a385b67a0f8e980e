"""Which findings are worth a fix."""

from dataclasses import replace

from tests.render.test_terminal import REPORT, unwell

from trainingdoctor import info
from trainingdoctor.remedy.propose import worth_fixing


def test_causes_are_and_their_symptoms_are_not_yet() -> None:
    assert [f.code for f in worth_fixing(REPORT)] == ["lr.too_high"]


def test_what_is_selected_is_whatever_it_is() -> None:
    assert [f.code for f in worth_fixing(REPORT, ["loss.diverges"])] == ["loss.diverges"]
    report = replace(REPORT, results=(*REPORT.results, unwell("decay.on_norm", info("x", "y"))))
    assert [f.code for f in worth_fixing(report, ["decay"])] == ["decay.on_norm"]
    assert "decay.on_norm" not in [f.code for f in worth_fixing(report)]
