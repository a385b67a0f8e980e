"""What lr.too_high says to set: never far below the usual rate without a word."""

from dataclasses import replace

import pytest
from tests.checks.test_data_and_model_checks import PLAIN, RESNET, trials

from trainingdoctor import warning
from trainingdoctor.measure.rate_search import Trial
from trainingdoctor.measure.trials import RateTrials
from trainingdoctor_checks._rates import remedy
from trainingdoctor_checks.fixes.optimizer import rate_for


def tried(peak: float, tenth: float, hundredth: float | None = None, optimizer: str = "SGD") -> RateTrials:
    """Stuck at `peak`; where the trials at a tenth and a hundredth of it ended."""
    of = replace(trials(2.31, tenth, peak=peak), optimizer=optimizer, adaptive=optimizer != "SGD")
    more = () if hundredth is None else (Trial(0.01, peak / 100, (2.5, *[hundredth] * 59), False),)
    return replace(of, trials=(*of.trials, *more), momentum=0.9 if optimizer == "SGD" else 0.0)


@pytest.mark.parametrize(
    ("given", "rate", "mentions"),
    [
        (tried(2.0, 1.7), "lr=0.1,", "0.2 is the highest rate tried"),
        (
            tried(0.5, 1.7),
            "lr=0.1,",
            "published for such nets at batch 128 and momentum 0.9; 0.05 is the highest rate tried",
        ),
        (tried(0.5, 2.25, 1.8), "lr=0.005,", "so few steps favour low rates: try between the two"),
        (tried(0.1, 2.25, 1.8), "lr=0.001,", "the usual rate of SGD with momentum 0.9 is 0.01"),
        (tried(0.01, 2.25, 1.8, "Adam"), "lr=0.0001,", "the usual rate of Adam is 0.001"),
        (tried(0.05, 2.25), "lr=0.005,", "that did not diverge within 60 steps"),
        (tried(500.0, 1.7), "lr=50,", "0.1 is published"),
    ],
)
def test_a_rate_comes_with_what_it_stands_on(given: RateTrials, rate: str, mentions: str) -> None:
    said = remedy(given, 0.88, RESNET)
    assert said.startswith(rate)
    assert mentions in said


def test_other_nets_have_no_published_rate() -> None:
    assert "published" not in remedy(tried(0.5, 1.7), 0.88, PLAIN)


@pytest.mark.parametrize(("tenth", "rate"), [(1.7, 0.2), (2.25, 0.01)])
def test_a_rate_that_taught_nothing_is_not_set_but_the_usual_one(tenth: float, rate: float) -> None:
    assert rate_for(replace(warning("High.", "lr=0.2"), code="lr.too_high"), tried(2.0, tenth), PLAIN) == pytest.approx(
        rate
    )


@pytest.mark.parametrize(
    ("own", "tenth", "rate"), [(0.5, 2.25, 0.1), (0.5, 1.7, 0.1), (4.0, 1.7, 0.1), (0.1, 1.7, 0.01)]
)
def test_nets_with_a_published_rate_get_it_where_it_is_as_good_as_tried(own: float, tenth: float, rate: float) -> None:
    finding = replace(warning("High.", "lr=0.2"), code="lr.too_high")
    assert rate_for(finding, tried(own, tenth), RESNET) == pytest.approx(rate)
