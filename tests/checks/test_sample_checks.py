"""Checks of the samples, their labels, and what augmentation does to them, on handmade evidence."""

from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.augmentation_strength import AugmentationStrength
from trainingdoctor.measure.channels import ChannelOrder, ColourContrast, ImageLayout
from trainingdoctor.measure.dataset import DatasetFacts
from trainingdoctor.measure.indices import EvaluationOrder
from trainingdoctor.measure.label_relation import LabelRelation
from trainingdoctor.measure.overlap import Leakage, Repeats
from trainingdoctor.measure.pixel_noise import PixelNoise
from trainingdoctor.measure.probe import Score
from trainingdoctor.measure.transform_steps import Step
from trainingdoctor_checks import augmentation_strength, label_relation, samples


def score(accuracy: float, count: int = 3000, chance: float = 0.1) -> Score:
    """A score with binomial errors."""
    return Score(
        accuracy,
        (accuracy * (1 - accuracy) / count) ** 0.5,
        chance,
        (chance * (1 - chance) / count) ** 0.5,
        count,
    )


# As measured on CIFAR-10.
CLEAN = LabelRelation(10, 2000, score(0.50), score(0.483), score(0.452), score(0.49), 0, True)
SHUFFLED = replace(CLEAN, train=score(0.103), between=score(0.08), relabelled=score(0.16), moved=8)
NOISY = replace(CLEAN, train=score(0.277), between=score(0.40))
RENAMED = replace(CLEAN, between=score(0.05), relabelled=score(0.48), moved=10)
HARD = replace(CLEAN, train=score(0.105), between=score(0.11), evaluation=score(0.11), relabelled=score(0.12), moved=7)
STRENGTH = AugmentationStrength(1000, score(0.42, 2000), score(0.36, 2000))
NOISE = PixelNoise(0.84, 0.89, 0.89)
FIRST = ImageLayout((2, 3, 32, 32), (2, 3, 32, 32), 3, 0.85, 0.59)
LAST = ImageLayout((2, 32, 32, 3), (2, 32, 32, 3), 3, 0.85, 0.59)
LEVEL = ColourContrast("level", 0.047, 0.004, 0.044, 0.004)
SKEWNESS = ColourContrast("skewness", -0.2, 0.03, -0.07, 0.03)
COLOURS = ChannelOrder(FIRST, (LEVEL, SKEWNESS))
SWAPPED = ChannelOrder(FIRST, (replace(LEVEL, train=-0.047), replace(SKEWNESS, train=0.2)))
COPIES = Repeats(50_000, 50_000, 50_000, True, 0.0, 0.0)
LEAK = Leakage(0.0, False, 10_000, 1.0)
CIFAR = DatasetFacts("CIFAR10", 50_000, 50_000, (), (), (), False)
OTHER = replace(CIFAR, name="Birds")
PAIRS = AugmentationPairs(12, 6, True, 0.5, {"mirrored": 0.5, "shifted": 0.9}, True, True, 3, 32, 50_000)
FLIPPED = replace(PAIRS, kinds={"mirrored": 0.5})
SAME = replace(PAIRS, varies=False, kinds={})
CROP = Step("RandomCrop", "RandomCrop(size=(32, 32), padding=4)", True, None, 200, 1.0, 0.0)
IDLE_CROP = replace(CROP, shown="RandomCrop(size=(32, 32), padding=None)", changed=0.0)
FLIP = Step("RandomHorizontalFlip", "RandomHorizontalFlip(p=0.5)", True, 0.5, 200, 0.5, 0.0)
NO_FLIP = replace(FLIP, shown="RandomHorizontalFlip(p=0)", probability=0.0, changed=0.0)
JITTER = Step("ColorJitter", "ColorJitter(brightness=0.4)", True, None, 200, 1.0, 0.0)
TENSOR = Step("ToTensor", "ToTensor()", False, None, 8, 1.0, 0.0)

SICK = [
    (label_relation.shuffled, (SHUFFLED,), ["critical"]),
    (label_relation.shuffled, (replace(CLEAN, evaluation=score(0.1), between=score(0.1)),), ["critical"]),
    (label_relation.noise, (NOISY,), ["warning"]),
    (label_relation.train_eval_mismatch, (RENAMED,), ["critical"]),
    (label_relation.conflicting, (replace(COPIES, conflicting=0.05),), ["warning"]),
    (label_relation.conflicting, (replace(COPIES, conflicting=0.004),), ["info"]),
    (samples.leaks, (replace(LEAK, shared=1.0, same_rows=True),), ["critical"]),
    (samples.leaks, (replace(LEAK, shared=0.1),), ["warning"]),
    (samples.leaks, (replace(LEAK, shared=0.02),), ["info"]),
    (samples.duplicates, (replace(COPIES, distinct=15_000, even=False, share=0.7), OTHER), ["warning"]),
    (samples.duplicates, (replace(COPIES, distinct=40_000, even=False, share=0.2), OTHER), ["info"]),
    # A fifth of CIFAR-10, five times over, is as long as CIFAR-10.
    (samples.duplicates, (replace(COPIES, distinct=10_000, share=0.8), CIFAR), ["warning"]),
    (samples.noise, (replace(NOISE, train=0.42),), ["warning"]),
    (samples.noise, (replace(NOISE, train=0.42, stored=0.43),), ["warning"]),
    (samples.channels, (ChannelOrder(LAST, None),), ["critical"]),
    (samples.channels, (ChannelOrder(replace(FIRST, adjacent=-0.11, apart=0.85), None),), ["critical"]),
    # CIFAR-10's rows of N, C, H, W taken for N, H, W, C, with crops and mirrors.
    (samples.channels, (ChannelOrder(replace(FIRST, adjacent=0.71, apart=0.66, dip=0.3), None),), ["warning"]),
    (samples.channels, (SWAPPED,), ["warning"]),
    (samples.order_on_evaluation, (EvaluationOrder(True),), ["info"]),
    (augmentation_strength.too_strong, (replace(STRENGTH, augmented=score(0.12, 2000)),), ["warning"]),
    (augmentation_strength.too_strong, (replace(STRENGTH, augmented=score(0.19, 2000)),), ["info"]),
    (augmentation_strength.order, ((CROP, FLIP, TENSOR, replace(JITTER, clips=0.75)), PAIRS), ["warning"]),
    (augmentation_strength.order, ((IDLE_CROP, FLIP, TENSOR), FLIPPED), ["warning"]),
    (augmentation_strength.order, ((NO_FLIP, TENSOR), SAME), ["warning"]),
    (augmentation_strength.order, ((CROP, NO_FLIP, TENSOR), PAIRS), ["info"]),
]

HEALTHY = [
    (label_relation.shuffled, (CLEAN,)),
    (label_relation.shuffled, (NOISY,)),
    # Where the classifier sees nothing in either set, nothing can be said.
    *(
        (check, (HARD,))
        for check in (label_relation.shuffled, label_relation.noise, label_relation.train_eval_mismatch)
    ),
    (label_relation.noise, (CLEAN,)),
    (label_relation.noise, (replace(NOISY, comparable=False),)),
    # Evaluation samples that are harder for everybody, and small differences.
    (label_relation.noise, (replace(CLEAN, between=score(0.3)),)),
    (label_relation.noise, (replace(CLEAN, train=score(0.47), between=score(0.5), evaluation=score(0.5)),)),
    (label_relation.noise, (SHUFFLED,)),
    (label_relation.train_eval_mismatch, (CLEAN,)),
    # Shuffled labels of samples in clusters can be renamed to fit, and are no renaming.
    (label_relation.train_eval_mismatch, (replace(RENAMED, train=score(0.1)),)),
    # Two classes that the classifier takes for each other.
    (label_relation.train_eval_mismatch, (replace(CLEAN, moved=2),)),
    (label_relation.conflicting, (COPIES,)),
    (samples.leaks, (LEAK,)),
    (samples.leaks, (replace(LEAK, shared=0.005),)),
    (samples.duplicates, (COPIES, CIFAR)),
    # A data set repeated as a whole; rare classes repeated; a subset without copies.
    (samples.duplicates, (Repeats(100_000, 100_000, 50_000, True, 0.5, 0.0), CIFAR)),
    (samples.duplicates, (replace(COPIES, distinct=14_000, even=False, share=0.0), CIFAR)),
    (samples.duplicates, (Repeats(10_000, 10_000, 10_000, True, 0.0, 0.0), CIFAR)),
    (samples.noise, (NOISE,)),
    (samples.noise, (replace(NOISE, train=0.72),)),
    (samples.noise, (PixelNoise(0.02, 0.02, 0.02),)),
    (samples.channels, (COLOURS,)),
    (samples.channels, (ChannelOrder(FIRST, None),)),
    # N, H, W, C that the model turns itself; an MLP.
    (samples.channels, (ChannelOrder(replace(LAST, reaches=(2, 3, 32, 32)), None),)),
    (samples.channels, (ChannelOrder(replace(LAST, reaches=None, wants=None), None),)),
    # A strong hue jitter makes colours even; unclear levels; a skewness that speaks against it.
    (samples.channels, (ChannelOrder(FIRST, (replace(LEVEL, train=-0.004), SKEWNESS)),)),
    (samples.channels, (ChannelOrder(FIRST, (replace(LEVEL, train=-0.01, evaluation=0.01), SKEWNESS)),)),
    (samples.channels, (ChannelOrder(FIRST, (replace(LEVEL, train=-0.047), replace(SKEWNESS, evaluation=-0.4))),)),
    (samples.order_on_evaluation, (EvaluationOrder(False),)),
    (augmentation_strength.too_strong, (STRENGTH,)),
    (augmentation_strength.too_strong, (replace(STRENGTH, augmented=score(0.25, 2000)),)),
    (augmentation_strength.too_strong, (AugmentationStrength(1000, score(0.12, 2000), score(0.1, 2000)),)),
    (augmentation_strength.order, ((CROP, FLIP, TENSOR, JITTER), PAIRS)),
    (augmentation_strength.order, ((replace(FLIP, probability=0.01, changed=0.0), TENSOR), PAIRS)),
    (augmentation_strength.order, ((), SAME)),
]


def findings(check: Any, evidence: tuple[Any, ...]) -> list[Finding]:
    return [f for f in check(*evidence) if isinstance(f, Finding)]


@pytest.mark.parametrize(("check", "evidence", "severities"), SICK, ids=lambda v: getattr(v, "code", None))
def test_sick(check: Any, evidence: tuple[Any, ...], severities: list[str]) -> None:
    assert [f.severity for f in findings(check, evidence)] == severities


@pytest.mark.parametrize(("check", "evidence"), HEALTHY, ids=lambda v: getattr(v, "code", None))
def test_healthy(check: Any, evidence: tuple[Any, ...]) -> None:
    assert findings(check, evidence) == []


def test_the_share_of_wrong_labels_is_in_the_message() -> None:
    (found,) = findings(label_relation.noise, (NOISY,))
    assert found.evidence["share"] == pytest.approx(0.41, abs=0.01)
    assert "41%" in found.message


def test_noise_is_traced_to_transforms_or_data() -> None:
    (added,) = findings(samples.noise, (replace(NOISE, train=0.42),))
    (stored,) = findings(samples.noise, (PixelNoise(0.42, 0.89, 0.43),))
    assert added.where == ("train_loader.dataset.transform",)
    assert stored.where == ("train_loader.dataset",)


def test_which_labels_are_unrelated_is_said() -> None:
    (train,) = findings(label_relation.shuffled, (SHUFFLED,))
    (evaluation,) = findings(label_relation.shuffled, (replace(CLEAN, evaluation=score(0.1)),))
    assert train.where == ("train_loader.dataset",)
    assert evaluation.where == ("val_loader.dataset",)
