"""The values of the fault bench that ship with the package."""

from trainingdoctor.distributions import Distribution, Spread, distributions
from trainingdoctor.registry import load_registry


def test_each_is_of_a_threshold_that_exists() -> None:
    checks = load_registry().checks
    found = [d for told in distributions().values() for d in told]
    assert len(found) > 20
    assert all(d.threshold in checks[d.code].thresholds for d in found)


def test_a_threshold_that_warns_lies_beyond_what_healthy_trainings_have() -> None:
    hint = next(d for d in distributions()["batchnorm.momentum"] if d.threshold == "hint")
    assert hint.healthy is not None
    assert hint.healthy.most < load_registry().checks["batchnorm.momentum"].thresholds["hint"].default


def test_it_is_told_in_a_sentence() -> None:
    one = Distribution("a.b", "most", Spread(0.0, 0.1, 0.5, 37), None)
    assert str(one) == "most: healthy 0 to 0.5 (median 0.1, 37 trainings)"
