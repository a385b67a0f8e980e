"""precision.* on handmade evidence."""

from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.precision import HalfRange, LostUpdates, PrecisionPlan
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor_checks import precision

AMP = PrecisionPlan("float16", None, None, None, None, "SGD", None)
HALF = PrecisionPlan(None, "float16", None, "float16", None, "Adam", 1e-8)
RANGE = HalfRange(21.0, "layer1", 0.001)
KEPT = LostUpdates("float16", 0.03, 0.0)
FRESH, TRAINED = Pretraining(10, 0), Pretraining(10, 10)

SICK = [
    (precision.no_scaler, (AMP, replace(RANGE, vanishing=0.4)), "info", "40% of the gradients"),
    (precision.fp16_overflow, (replace(RANGE, largest=1e6), AMP), "warning", "layer1 gives values up to 1e+06"),
    (precision.fp16_overflow, (replace(RANGE, largest=3e4), HALF), "info", "ends at 65504"),
    (precision.dtype, (replace(KEPT, nonfinite=0.6), HALF, FRESH), "critical", "eps=1e-08 is zero in float16"),
    (precision.dtype, (replace(KEPT, lost=0.92), HALF, FRESH), "warning", "92% of the float16 weights"),
    (precision.dtype, (replace(KEPT, lost=0.92), HALF, TRAINED), "info", "92% of the float16 weights"),
    (precision.dtype, (replace(KEPT, lost=0.47), HALF, FRESH), "info", "47% of the float16 weights"),
    (precision.dtype, (KEPT, replace(HALF, statistics="bfloat16", momentum=0.1), FRESH), "info", "up to 3.9%"),
    (precision.dtype, (KEPT, replace(HALF, statistics="bfloat16", momentum=0.005), FRESH), "warning", "up to 78.1%"),
]
HEALTHY = [
    (precision.no_scaler, (AMP, RANGE)),
    (precision.fp16_overflow, (RANGE, AMP)),
    (precision.dtype, (KEPT, HALF, FRESH)),
]


def findings(check: Any, *evidence: Any) -> list[Finding]:
    return [f for f in check(*evidence) if isinstance(f, Finding)]


@pytest.mark.parametrize(("check", "evidence", "severity", "words"), SICK)
def test_sick(check: Any, evidence: tuple[Any, ...], severity: str, words: str) -> None:
    (found,) = findings(check, *evidence)
    assert found.severity == severity
    assert words in found.message


@pytest.mark.parametrize(("check", "evidence"), HEALTHY)
def test_healthy(check: Any, evidence: tuple[Any, ...]) -> None:
    assert findings(check, *evidence) == []
