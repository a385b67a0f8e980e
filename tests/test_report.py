"""The order of findings in a report."""

from dataclasses import replace

from trainingdoctor import critical, info, warning
from trainingdoctor.report import ordered


def test_a_cause_whose_pattern_matches_itself_is_listed_once() -> None:
    cause = replace(critical("a", "b"), code="init.constant", explains=("init.*", "lr.too_high"))
    symptom = replace(warning("c", "d"), code="init.gradient_flow")
    other = replace(info("e", "f"), code="decay.on_norm_and_bias")
    found = ordered([other, symptom, cause])
    assert [f.code for f in found] == ["init.constant", "init.gradient_flow", "decay.on_norm_and_bias"]
    assert found[0].explains == ("init.gradient_flow",)
