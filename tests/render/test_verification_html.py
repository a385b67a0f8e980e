"""The page of trainings before and after."""

from tests.render.test_formats import HOSTILE, Checked

from trainingdoctor.render.verification_html import render_verification
from trainingdoctor.verify.judge import Difference, Judgement, Sample, difference
from trainingdoctor.verify.plan import Plan, Variant
from trainingdoctor.verify.task import Outcome, Size
from trainingdoctor.verify.verify import Part, Verification, collected

REACHED = {"before": (50.0, 52.0, 51.0), "after": (70.0, 74.0, 72.0), "only lr.too_high": (60.0, 61.0, 63.0)}
OUTCOMES = tuple(Outcome(name, seed, value) for name, values in REACHED.items() for seed, value in enumerate(values))


def verification(outcomes: tuple[Outcome, ...] = OUTCOMES) -> Verification:
    samples = collected(outcomes)
    plan = Plan(tuple(map(Variant, REACHED)), (Variant("without x"),), Size(2000, 4, 500), (0, 1, 2), 60.0)
    whole = difference(samples["before"], samples["after"])
    part = Part("lr.too_high", Difference(Judgement.IMPROVED, 10.0, 8.0, 12.0, 3), None)
    return Verification(plan, outcomes, whole, (part,))


def test_the_accuracies_are_drawn_and_told() -> None:
    page = Checked(render_verification(verification(), None, "my_config.py"))
    text = " ".join(page.text.split())
    assert "improved my_config.py" in text
    assert "+21.00 points" in text
    assert "improved: +10.00 points" in text
    assert "not trained" in text
    assert "before 51.00 % (48.52 to 53.48, 3 seeds); after 72.00 %" in str(page.all("img")[0]["alt"])


def test_what_did_not_train_is_told_and_not_drawn() -> None:
    broken = tuple(Outcome(name, 0, None, error=HOSTILE) for name in ("before", "after"))
    page = Checked(render_verification(verification(broken), None, HOSTILE))
    assert page.all("img") == []
    assert not page.all("script")
    assert HOSTILE.split("`")[0] in page.text


def test_one_seed_is_drawn_without_an_interval() -> None:
    from trainingdoctor.plots.accuracy import draw

    axes = draw({"before": Sample("before", {0: 50.0})}).axes[0]
    assert [len(line.get_xdata()) for line in axes.lines] == [1, 1, 2]
