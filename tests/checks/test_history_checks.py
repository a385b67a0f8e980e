"""The patterns of a finished run."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainingdoctor.check import Check
from trainingdoctor.finding import Finding, Severity, warning
from trainingdoctor.history.curves import EpochRow, LearningCurves
from trainingdoctor.report import ordered, roots
from trainingdoctor_checks import history as checks


def curves(
    train: list[float],
    test: list[float],
    loss: list[float] | None = None,
    rate: list[float] | None = None,
    classes: int | None = None,
) -> LearningCurves:
    rows = [
        EpochRow(i + 1, a, b, train_loss=loss[i] if loss else None, rate=rate[i] if rate else None)
        for i, (a, b) in enumerate(zip(train, test, strict=True))
    ]
    return LearningCurves(tuple(rows), "log.csv", classes)


def found(check: Check, *given: LearningCurves) -> list[Severity]:
    return [f.severity for f in check(*given) if isinstance(f, Finding)]


RISING = [40 + 5 * i for i in range(11)]
# He et al. 2015 on CIFAR-10, as it usually goes: jumps under the high rate, none after the decay.
HEALTHY = curves(
    [50, 70, 80, 85, 87, 89, 96, 98, 99, 99.5, 99.7, 99.8],
    [45, 60, 75, 70, 80, 77, 91, 92, 92.5, 93, 93.1, 93.2],
    rate=[0.1] * 6 + [0.01] * 3 + [0.001] * 3,
)
MEMORISED = curves([*RISING, 99.0], [*(0.8 * a for a in RISING), 77.0])
JUMPING = curves([50, 60, 70, 75, 76, 77, 77, 78, 77, 78, 78, 78], [45, 62, 55, 70, 66, 76, 70, 77, 71, 77, 72, 78])
FAR_BELOW = curves([50, 80, 90.0], [30, 45, 40.0])
CHANCE = curves([9.8, 10.1, 9.9, 10.0], [10.0] * 4)
BROKEN = curves([30, 35, 10, 10], [30, 33, 10, 10], loss=[2.0, 4.0, float("nan"), float("nan")], rate=[0.5] * 4)
CIFAR100 = curves([50, 99, 99.9], [40, 70, 76.0], classes=100)


@pytest.mark.parametrize(
    ("check", "sick", "severity"),
    [
        (checks.memorises, MEMORISED, Severity.WARNING),
        (checks.jumps, JUMPING, Severity.WARNING),
        (checks.evaluation_far_below, FAR_BELOW, Severity.WARNING),
        (checks.chance, CHANCE, Severity.CRITICAL),
        (checks.nonfinite, BROKEN, Severity.CRITICAL),
        (checks.unfinished, curves(RISING, RISING), Severity.INFO),
    ],
)
def test_sick_and_healthy(check: Check, sick: LearningCurves, severity: Severity) -> None:
    assert found(check, sick) == [severity]
    assert found(check, HEALTHY) == []
    assert found(check, CIFAR100) == []


def test_jumps_need_a_rate_that_stays_high() -> None:
    falling = curves([77.0] * 12, [70, 77] * 6, rate=[0.1] * 6 + [0.0001] * 6)
    assert found(checks.jumps, falling) == []


def test_what_led_up_to_it_is_told() -> None:
    finding = next(f for f in checks.nonfinite(BROKEN) if isinstance(f, Finding))
    assert finding.message == "In epoch 3 the loss is nan, after 4, rising before, at a rate of 0.5."


def test_a_cause_that_stands_explains_the_curve() -> None:
    curve = warning("jumps", "decay the rate")
    curve = replace(curve, code="history.jumps", explained_by=checks.jumps.explained_by)
    cause = replace(warning("no schedule", "add one"), code="schedule.missing")
    assert roots([curve]) == [curve]
    assert roots([curve, cause]) == [cause]
    assert [f.explains for f in ordered([curve, cause])] == [("history.jumps",), ()]


def test_the_command_reads_a_history_alone(tmp_path: Path, typed: Callable[..., Any]) -> None:
    file = tmp_path / "log.csv"
    file.write_text("epoch,acc,val_acc\n" + "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(MEMORISED.pairs())))
    result = typed(tmp_path, "diagnose", "--history", str(file), "--format", "json")
    assert result.exit_code == 1, result.stderr
    assert json.loads(result.stdout)["root_causes"] == ["history.memorises"]
    neither = typed(tmp_path, "diagnose")
    assert (neither.exit_code, "--history FILE" in neither.stderr) == (2, True)
