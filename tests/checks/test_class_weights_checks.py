"""loss.class_weights on handmade evidence."""

from dataclasses import replace

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.class_weights import ClassWeights
from trainingdoctor_checks.class_weights import class_weights

FAIR = ClassWeights((1.0, 1.0, 1.0), {0: 100, 1: 100, 2: 100}, 1.0, 0, 0)


def findings(evidence: ClassWeights) -> list[Finding]:
    return [f for f in class_weights(evidence) if isinstance(f, Finding)]


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"weights": (0.0, 1.0, 1.0)}, "warning", "class 0 the weight 0: 33.3% of the samples"),
        ({"weights": (0.0, 0.0, 1.0)}, "critical", "classes 0, 1 the weight 0"),
        ({"weights": (1.0, -1.0, 1.0)}, "critical", "pushes away from class 1"),
        ({"weights": (1.0, 0.02, 0.02), "excess": 50.0, "light": 1}, "warning", "counts 50 times as much"),
        ({"weights": (1.0, 0.2, 0.2), "excess": 5.0, "light": 1}, "info", "counts 5 times as much"),
    ],
)
def test_sick(changes: dict[str, object], severity: str, words: str) -> None:
    (found,) = findings(replace(FAIR, **changes))
    assert found.severity == severity
    assert words in found.message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # Inverse frequency; and a background class that counts a tenth, as in DETR, where it is the most frequent.
        {"weights": (0.01, 0.1, 1.0), "counts": {0: 1000, 1: 100, 2: 10}},
        {"weights": (0.1, 1.0, 1.0), "counts": {0: 1000, 1: 100, 2: 100}},
        # A class of weight 0 that never occurs.
        {"weights": (0.0, 1.0, 1.0), "counts": {1: 100, 2: 100}},
    ],
)
def test_healthy(changes: dict[str, object]) -> None:
    assert findings(replace(FAIR, **changes)) == []
