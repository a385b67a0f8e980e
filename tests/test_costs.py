"""The measured costs that ship with the package."""

from trainingdoctor.costs import MeasuredCost, cost_of, measured_costs
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.registry import load_registry


def test_each_is_of_a_check_that_exists() -> None:
    costs = measured_costs()
    assert set(costs) <= set(load_registry().checks)
    assert costs["schedule.never_decays"].points > 10 > costs["augmentation.missing"].points > 1


def test_what_so_short_a_training_shows_no_cost_of_counts_as_unmeasured() -> None:
    small = [cost for cost in measured_costs().values() if cost.conditions.startswith("ResNet-8")]
    assert len(small) > 30
    assert not any(cost.is_noise or cost.code.startswith("augmentation.weak") for cost in small)


def test_noise_is_not_told_as_a_cost() -> None:
    assert str(MeasuredCost("a.b", "all", 0.3, 1, 0.3, "ResNet-20")).startswith(
        "nothing beyond noise in a reference training (all;"
    )
    assert str(MeasuredCost("a.b", "all", 7.25, 2, 0.3, "ResNet-20")).startswith(
        "7.2 points of test accuracy in a reference training"
    )


def test_what_whole_classes_in_a_row_cost_is_not_told_of_a_mixed_order() -> None:
    told = [
        cost_of(Finding(severity=severity, message="", remedy="", code="data.not_shuffled"))
        for severity in (Severity.CRITICAL, Severity.WARNING)
    ]
    assert told == [measured_costs()["data.not_shuffled"], None]
