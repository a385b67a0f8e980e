"""The checks on evidence made by hand: plain calls, no training, no torch."""

from dataclasses import replace

from trainingdoctor import Note
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_masking_checks import nothing_counted, padding_counted
from trainingdoctor_masking_checks.evidence import LossMask

MASKED = LossMask(samples=32, positions=1280, counted=480, blind=0, padding=800, counted_padding=0)
COUNTED = replace(MASKED, counted=1280, counted_padding=800)
PIXELS = LossMask(samples=32, positions=32 * 64 * 64, counted=100_000, blind=0, padding=None, counted_padding=0)


def test_padding_that_is_ignored_is_fine() -> None:
    assert assert_healthy(padding_counted, MASKED) == (
        Note("800 of 1,280 positions are padding, and the loss ignores them"),
    )


def test_mostly_padding_is_a_warning_with_its_numbers() -> None:
    finding = assert_unwell(
        padding_counted, COUNTED, severity="warning", mentions=("800 of the 1,280", "62%", "by 2.7", "ignore_index")
    )
    assert finding.evidence["share"] == 800 / 1280


def test_little_padding_is_an_info() -> None:
    assert_unwell(padding_counted, replace(COUNTED, counted=1000, counted_padding=100), severity="info")


def test_the_threshold_is_a_setting() -> None:
    assert_unwell(padding_counted, COUNTED, severity="info", most=0.7)


def test_nothing_but_padding_is_told_without_dividing_by_zero() -> None:
    assert_unwell(padding_counted, replace(COUNTED, counted=800), severity="warning", mentions="100%")


def test_what_has_no_padding_is_not_judged() -> None:
    for mask in (PIXELS, replace(MASKED, padding=0)):
        assert assert_healthy(padding_counted, mask) == ()


def test_every_sample_ignored_is_critical() -> None:
    finding = assert_unwell(nothing_counted, replace(MASKED, counted=0, blind=32), severity="critical", mentions="all")
    assert "loss.not_learning" in finding.explains


def test_some_void_crops_are_an_info() -> None:
    assert_unwell(nothing_counted, replace(PIXELS, blind=3), severity="info", mentions="3 of 32")


def test_something_in_every_sample_is_fine() -> None:
    assert_healthy(nothing_counted, MASKED)
    assert_healthy(nothing_counted, PIXELS)
