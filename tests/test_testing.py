"""The two verbs of a check's tests: what they let pass, and what they say when they do not."""

from dataclasses import dataclass
from typing import Any

import pytest

from trainingdoctor import Check, Evidence, Note, Unavailable, Verdicts, check, critical, evidence, info, warning
from trainingdoctor.measure.batches import BatchSize
from trainingdoctor.testing import assert_healthy, assert_unwell


@check("mylab.batch_size", cost="probe", explains=("mylab.*",), references=("a paper",))
def batch_size_is_even(batch_size: BatchSize, *, least: int = 2) -> Verdicts:
    """Batches of an odd or a tiny size."""
    if batch_size.samples % 2:
        yield warning(f"Batches of {batch_size.samples}.", "batch_size=128", where="train_loader.batch_size", size=33)
    if batch_size.samples < least:
        yield critical(f"Fewer than {least}.", "batch_size=128")
    yield Note(f"{batch_size.samples} samples")


@dataclass(frozen=True)
class Widths:
    """Sizes of the weights."""

    numbers: tuple[int, ...]


@evidence()
def widths(model: Any) -> Widths:
    """The number of scalars of every parameter."""
    return Widths(tuple(p.numel() for p in model.parameters()))


@check("mylab.widths")
def narrow(widths: Widths, *, least: int = 8) -> Verdicts:
    """A weight with few numbers."""
    if min(widths.numbers) < least:
        yield info(f"{min(widths.numbers)} numbers", "widen it")


@check("mylab.crashes")
def crashes(model: Any) -> Verdicts:
    """Crashes."""
    raise ZeroDivisionError("oops")
    yield


@check("mylab.speechless")
def speechless(model: Any) -> Verdicts:
    """Finds something and says nothing."""
    yield info(" ", "")


def failure(verb: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        verb(*arguments, **keywords)
    return str(caught.value)


def test_healthy_returns_the_notes() -> None:
    assert assert_healthy(batch_size_is_even, BatchSize(32)) == (Note("32 samples"),)


def test_unwell_returns_the_finding_as_in_a_report() -> None:
    found = assert_unwell(
        batch_size_is_even, BatchSize(33), severity="warning", mentions=("33", "batch_size=128", "train_loader")
    )
    assert (found.code, found.explains, found.references) == ("mylab.batch_size", ("mylab.*",), ("a paper",))
    assert found.evidence == {"size": 33}
    assert assert_unwell(batch_size_is_even, BatchSize(33)) == found


def test_thresholds_reach_the_check() -> None:
    assert assert_unwell(batch_size_is_even, BatchSize(32), least=64).severity == "critical"
    with pytest.raises(TypeError, match="most"):
        assert_healthy(batch_size_is_even, BatchSize(32), most=64)
    with pytest.raises(TypeError, match="batch_size"):
        assert_healthy(batch_size_is_even)


def test_healthy_says_what_was_found_and_in_what() -> None:
    assert failure(assert_healthy, batch_size_is_even, BatchSize(33), least=4).splitlines() == [
        "mylab.batch_size was to find nothing, but it found 1 thing",
        "  warning: Batches of 33.",
        "    remedy: batch_size=128",
        "    where: train_loader.batch_size",
        "    size = 33",
        "  note: 33 samples",
        "given batch_size = BatchSize(samples=33, devices=1)",
        "with least = 4",
    ]


def test_an_info_is_a_finding() -> None:
    assert "  info: 4 numbers" in failure(assert_healthy, narrow, Widths((4, 100)))


@pytest.mark.parametrize(
    ("size", "wanted", "said"),
    [
        (32, {}, "was to find one thing, but it found nothing"),
        (33, {"least": 50}, "was to find one thing, but it found 2 things"),
        (33, {"severity": "critical"}, "was to find one thing (critical), but what it found is of severity warning"),
        (33, {"mentions": "34"}, "but what it found does not mention '34'"),
        (33, {"severity": "info", "mentions": ("33", "odd")}, "is of severity warning; what it found does not mention 'odd'"),
    ],
)  # fmt: skip
def test_unwell_says_what_is_wrong(size: int, wanted: dict[str, Any], said: str) -> None:
    assert said in failure(assert_unwell, batch_size_is_even, BatchSize(size), **wanted).splitlines()[0]


def test_a_finding_needs_a_message_and_a_remedy() -> None:
    assert failure(assert_unwell, speechless, None).startswith(
        "mylab.speechless was to find one thing, but what it found has no message; what it found has no remedy"
    )


def test_an_unknown_severity_is_refused() -> None:
    with pytest.raises(ValueError, match="fatal"):
        assert_unwell(batch_size_is_even, BatchSize(33), severity="fatal")


def test_long_evidence_is_cut() -> None:
    text = failure(assert_healthy, narrow, Widths((1,) * 1000))
    assert text.endswith("...")
    assert len(text) < 500


def test_a_training_is_measured(training: Any) -> None:
    assert assert_healthy(batch_size_is_even, training()) == (Note("32 samples"),)
    assert assert_unwell(batch_size_is_even, training(), least=64).message == "Fewer than 64."


@pytest.mark.parametrize(("least", "verb"), [(8, assert_unwell), (4, assert_healthy)])
def test_evidence_that_is_not_installed_goes_behind_the_training(training: Any, least: int, verb: Any) -> None:
    verb(narrow, training(), widths, least=least)
    assert "there is neither a field of Training nor evidence named 'widths'" in failure(verb, narrow, training())


def test_what_was_skipped_or_crashed_is_neither_healthy_nor_unwell(training: Any) -> None:
    for verb in (assert_healthy, assert_unwell):
        assert "it was skipped: needs train_loader" in failure(verb, batch_size_is_even, training(train_loader=None))
        text = failure(verb, crashes, training())
        assert "but it crashed: ZeroDivisionError: oops" in text
        assert "in crashes" in text


def test_plain_calls_let_exceptions_through() -> None:
    @check("mylab.choosy")
    def choosy(model: Any) -> Verdicts:
        """Does not apply."""
        raise Unavailable("not here")
        yield

    with pytest.raises(Unavailable, match="not here"):
        assert_healthy(choosy, None)


def test_the_check_stays_a_function() -> None:
    assert isinstance(batch_size_is_even, Check)
    assert isinstance(widths, Evidence)
