"""Expected accuracies come from the table; the noise of an evaluation set is arithmetic."""

from dataclasses import replace

import pytest

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.expectation import EvaluationNoise, Expectation, evaluation_noise, expectation
from trainingdoctor.measure.family import ModelFamily
from trainingdoctor.measure.known_data import KnownData
from trainingdoctor.measure.lengths import LoaderLengths
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.targets import Targets

RESNET20 = ModelFamily("cifar-resnet", "ResNet-20 of width 16", 269_722)
CIFAR = KnownData("CIFAR-10", "class")
FRESH = Pretraining(19, 0)
LENGTHS = LoaderLengths(50_000, 128, False, 10_000, 256, False, True)
INDICES = Targets("indices", (128,), "int64", None, 0, 9, {0: 5000}, True)


def expected(target: float | None = None) -> Expectation:
    found: Expectation = expectation(RESNET20, CIFAR, FRESH, target)
    return found


def noise(samples: int | None, target: float | None = None) -> EvaluationNoise:
    found: EvaluationNoise = evaluation_noise(replace(LENGTHS, val_samples=samples), INDICES, expected(), target)
    return found


def test_what_the_literature_reached() -> None:
    assert (expected().reached, expected().target) == (91.25, None)
    assert expected(95).target == 95.0


@pytest.mark.parametrize(
    ("family", "start", "words"),
    [
        (RESNET20, Pretraining(19, 19), "trained before"),
        (replace(RESNET20, parameters=10**8), FRESH, "no published accuracy"),
    ],
)
def test_what_is_not_in_the_table(family: ModelFamily, start: Pretraining, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        expectation(family, CIFAR, start, None)


def test_the_standard_error() -> None:
    assert noise(10_000).error == pytest.approx(0.2826, abs=1e-3)
    assert noise(100, 50.0).error == pytest.approx(5.0)


def test_no_accuracy_no_noise() -> None:
    with pytest.raises(Unavailable, match="not known"):
        noise(None)
    with pytest.raises(Unavailable, match="no single class"):
        evaluation_noise(LENGTHS, replace(INDICES, shape=(128, 64)), None, None)
