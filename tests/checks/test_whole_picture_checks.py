"""recipe.*, accuracy.* and the scaled rate on handmade evidence."""

from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.expectation import EvaluationNoise, Expectation
from trainingdoctor.measure.loading_speed import LoadingSpeed
from trainingdoctor.measure.recipe_gap import Difference, RecipeGap, RecipeRate
from trainingdoctor_checks import accuracy, loader, recipe

NONE = Difference("augmentation", "none", "shifted, mirrored", 7.2, "Huang et al. 2017, table 2")
SHORT = Difference("epochs", "30", "164", None, None)
GAP = RecipeGap("He et al. 2015", "paper", "SGD(...)", "ResNet-110", "CIFAR-10", 93.39, "paper", (NONE, SHORT))
EXPECTED = Expectation("ResNet-20", "CIFAR-10", 91.25, "He et al. 2015", None)
NOISE = EvaluationNoise(10_000, 91.25, 0.28, None, 91.25)
RATE = RecipeRate(0.1, 0.1, 128, "He et al. 2015", 0.1, 128)

SICK = [
    (recipe.gap, GAP, "cost 7.2 points (Huang et al. 2017)"),
    (recipe.not_scaled_with_batch, replace(RATE, batch_size=1024, scaled=0.8), "batch is 1024"),
    (recipe.not_scaled_with_batch, replace(RATE, batch_size=16, scaled=0.0125), "batch is 16"),
    (accuracy.gap, replace(EXPECTED, target=95.0), "target is 95 %"),
    (accuracy.gap, replace(EXPECTED, target=77.0), "has a fault"),
    (accuracy.noise, replace(NOISE, samples=500, error=1.3), "cannot be told apart"),
    (accuracy.noise, replace(NOISE, target=91.4), "0.15 points from"),
]
HEALTHY = [
    (recipe.gap, replace(GAP, differences=())),
    (recipe.not_scaled_with_batch, RATE),
    (recipe.not_scaled_with_batch, replace(RATE, batch_size=1024, peak=0.8, scaled=0.8)),
    (recipe.not_scaled_with_batch, replace(RATE, batch_size=256, scaled=0.2)),
    (accuracy.gap, EXPECTED),
    (accuracy.gap, replace(EXPECTED, target=92.0)),
    (accuracy.noise, NOISE),
    (accuracy.noise, replace(NOISE, target=93.0)),
    (accuracy.noise, replace(NOISE, target=91.25)),
]


def findings(check: Any, evidence: Any) -> list[Finding]:
    return [f for f in check(evidence) if isinstance(f, Finding)]


@pytest.mark.parametrize(("check", "evidence", "words"), SICK)
def test_informs(check: Any, evidence: Any, words: str) -> None:
    (found,) = findings(check, evidence)
    assert found.severity == "info"
    assert words in found.message
    assert found.remedy
    assert found.where


@pytest.mark.parametrize(("check", "evidence"), HEALTHY)
def test_says_nothing(check: Any, evidence: Any) -> None:
    assert findings(check, evidence) == []


def test_the_gap_is_a_table_of_lines() -> None:
    (found,) = findings(recipe.gap, GAP)
    head, *lines = found.message.splitlines()
    assert "2 differences from He et al. 2015" in head
    assert "(93.39 %)" in head
    assert len(lines) == 2
    assert "cost not measured" in lines[1]
    assert found.evidence["differences"][0]["points"] == 7.2


SLOW_LOADER = LoadingSpeed(load=0.03, train=0.01, workers=0, enough_workers=3, cores=8, device="cuda")


def test_the_best_number_of_workers_is_named() -> None:
    (found,) = findings(loader.workers, SLOW_LOADER)
    assert "4.0 times faster" in found.message
    assert "num_workers=3" in found.remedy
    assert findings(loader.workers, replace(SLOW_LOADER, workers=3)) == []
    assert findings(loader.workers, replace(SLOW_LOADER, load=0.0001, enough_workers=1)) == []
    assert findings(loader.bottleneck, SLOW_LOADER) == []


def test_loading_that_no_worker_can_hide() -> None:
    slow = replace(SLOW_LOADER, load=0.3, enough_workers=30)
    assert "even 8 workers" in findings(loader.bottleneck, slow)[0].message
    assert "num_workers=8" in findings(loader.workers, slow)[0].remedy
