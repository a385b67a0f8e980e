"""regularization.excessive and schedule.warmup_missing on handmade evidence."""

import math
from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.layers import Architecture
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.penalty import Penalty
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.regularizers import Regularizers
from trainingdoctor.measure.warmup import Warmup
from trainingdoctor_checks import regularization, warmup

PENALTY = Penalty(share=0.1, decay=1e-3, forgets_in_steps=1000.0, steps_per_epoch=391)
NONE = Regularizers(20, False, 0.0, 0.0, False, False, 5.0, None)
ALL = replace(NONE, dropout=0.5, smoothing=0.2, mixed=True, erased=True)


def findings(check: Any, *evidence: Any) -> list[Finding]:
    return [f for f in check(*evidence) if isinstance(f, Finding)]


@pytest.mark.parametrize(
    ("evidence", "severity", "words"),
    [
        (replace(NONE, penalty=replace(PENALTY, decay=0.1, forgets_in_steps=10.0)), "warning", "in 10 steps"),
        (replace(NONE, penalty=replace(PENALTY, share=30.0, forgets_in_steps=None)), "warning", "30 times"),
        (replace(NONE, smoothing=0.9), "warning", "takes 90% of each target"),
        (ALL, "info", "4 strong regularizers in a run of 20 epochs"),
        (replace(ALL, mixed=False, decay_epochs=1.0), "info", "forgets in 1 epochs"),
    ],
)
def test_too_much(evidence: Regularizers, severity: str, words: str) -> None:
    (found,) = findings(regularization.excessive, evidence)
    assert found.severity == severity
    assert words in found.message


@pytest.mark.parametrize(
    "evidence",
    [
        NONE,
        replace(NONE, penalty=PENALTY),
        replace(NONE, penalty=replace(PENALTY, forgets_in_steps=None)),
        # A vision transformer's recipe, and the same in fine-tuning for a few epochs.
        replace(ALL, epochs=300, decay_epochs=3.6),
        replace(ALL, pretrained=True),
        # WideResNet with dropout; a tuned short recipe with smoothing and cutout.
        replace(NONE, epochs=200, dropout=0.3),
        replace(NONE, epochs=10, smoothing=0.2, erased=True),
    ],
)
def test_usual_regularization(evidence: Regularizers) -> None:
    assert findings(regularization.excessive, evidence) == []


SGD = Group("optimizer.param_groups[0]", "SGD", 0.1, 0.1, 1e-4, 0.9, False, None, None, 1000, 100)
ADAMW = replace(SGD, optimizer="AdamW", betas=(0.9, 0.999))
RESNET20 = Architecture("ResNet", 19, 1, 0, 0, 19, 19, 0, 269_722)
RESNET110 = replace(RESNET20, convolutions=109)
VIT = Architecture("ViT", 1, 25, 6, 0, 0, 13, 0, 2_800_000)
FRESH, TRAINED = Pretraining(19, 0), Pretraining(19, 19)
CALM = Warmup(60, 0.1, 2.5, 2.3, 1.9, 1.1, None)
BURNT = replace(CALM, cold_end=math.inf, spike=math.inf)


@pytest.mark.parametrize(
    ("evidence", "severity", "words"),
    [
        ((replace(BURNT, warm_end=1.9), VIT, (ADAMW,), FRESH), "warning", "with a warm-up it is 1.9"),
        ((CALM, VIT, (ADAMW,), FRESH), "info", "without a warm-up."),
        ((CALM, RESNET110, (SGD,), FRESH), "info", "without a warm-up."),
        ((replace(CALM, spike=5.0), RESNET20, (SGD,), FRESH), "info", "from 2.5 up to 12.5"),
    ],
)
def test_a_cold_start(evidence: tuple[Any, ...], severity: str, words: str) -> None:
    (found,) = findings(warmup.warmup_missing, *evidence)
    assert found.severity == severity
    assert words in found.message


@pytest.mark.parametrize(
    "evidence",
    [
        (CALM, RESNET20, (SGD,), FRESH),
        (CALM, VIT, (ADAMW,), TRAINED),
        (CALM, VIT, (SGD,), FRESH),
        # A rate that is too high warm and cold is lr.too_high's business.
        (replace(BURNT, warm_end=math.inf), VIT, (ADAMW,), FRESH),
        (replace(BURNT, warm_end=2.3), RESNET20, (SGD,), FRESH),
    ],
)
def test_no_warmup_needed(evidence: tuple[Any, ...]) -> None:
    assert findings(warmup.warmup_missing, *evidence) == []
