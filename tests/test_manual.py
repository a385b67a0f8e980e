"""A manual is the docstring, and its parts are what stands under the headings."""

from trainingdoctor import Note, Verdicts, check
from trainingdoctor.costs import measured_costs
from trainingdoctor.manual import manual, sections
from trainingdoctor.registry import load_registry


@check("mylab.rows")
def rows(model: object) -> Verdicts:
    """Too many rows.

    What it does: counts
    them. Measured: by hand.
    Example: table = Embedding(10**9, 1)
    Remedy: fewer.
    Measured: no measurement yet.
    """
    yield Note("few")


def test_sections_are_what_stands_under_a_heading_at_the_start_of_a_line() -> None:
    assert sections(rows) == {
        "What it does": "counts\nthem. Measured: by hand.",
        "Example": "table = Embedding(10**9, 1)",
        "Remedy": "fewer.",
        "Measured": "no measurement yet.",
    }


def test_a_manual_without_a_measurement_is_the_docstring() -> None:
    assert manual(rows) == rows.manual


def test_every_measured_cost_is_told() -> None:
    checks = load_registry().checks
    for code, cost in measured_costs().items():
        if code in checks:
            assert str(cost) in manual(checks[code])


def test_a_measured_cost_takes_the_place_of_no_measurement_yet() -> None:
    text = manual(load_registry().checks["decay.missing"])
    assert f"Measured: {measured_costs()['decay.missing']}." in text
    assert "no measurement yet" not in text
