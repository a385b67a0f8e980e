"""Differences from a recipe, measured on handmade parts of a training."""

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.batches import BatchSize
from trainingdoctor.measure.family import ModelFamily
from trainingdoctor.measure.known_data import KnownData
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.recipe_gap import RecipeGap, RecipeRate, known_recipe, recipe_gap, recipe_rate
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.recipes import Recipe

RESNET = ModelFamily("cifar-resnet", "ResNet-110 of width 16", 1_727_962)
VIT = ModelFamily("vit", "vision transformer", 2_800_000)
CIFAR = KnownData("CIFAR-10", "class")
FRESH = Pretraining(109, 0)
SGD = Group("optimizer.param_groups[0]", "SGD", 0.1, 0.1, 1e-4, 0.9, False, None, None, 1000, 100)
ADAMW = replace(SGD, optimizer="AdamW", lr=1e-3, weight_decay=0.05, momentum=None, betas=(0.9, 0.999), eps=1e-8)
STEPS = ScheduleTrace(
    tuple(0.1 * 0.1 ** ((e >= 82) + (e >= 123)) for e in range(164)), "epoch", 164, 391, "MultiStepLR", False, 123
)
PAIRS = AugmentationPairs(12, 6, True, 0.5, {"shifted": 0.9, "mirrored": 0.5}, True, True, 3, 32, 50_000)
HERE: dict[str, Any] = {
    "parameter_groups": (SGD,),
    "known_dataset": CIFAR,
    "schedule_trace": STEPS,
    "epochs": 164,
    "batch_size": BatchSize(128),
    "augmentation_pairs": PAIRS,
    "criterion": nn.CrossEntropyLoss(),
}


def recipe(family: ModelFamily = RESNET) -> Recipe:
    found: Recipe = known_recipe(family, FRESH, CIFAR)
    return found


def gap(family: ModelFamily = RESNET, **changes: Any) -> RecipeGap:
    found: RecipeGap = recipe_gap(recipe(family), family, **{**HERE, **changes})
    return found


def items(**changes: Any) -> dict[str, str]:
    return {d.item: d.here for d in gap(**changes).differences}


def test_the_recipe_itself_has_no_gap() -> None:
    assert items() == {}
    assert gap().reached == 93.39


def test_published_variants_are_no_gap() -> None:
    nesterov = replace(SGD, weight_decay=5e-4, nesterov=True)
    cosine = replace(STEPS, rates=tuple(0.1 * (1 - e / 200) for e in range(200)), scheduler="CosineAnnealingLR")
    assert items(parameter_groups=(nesterov,), schedule_trace=cosine, epochs=200) == {}
    doubled = replace(STEPS, rates=tuple(2 * r for r in STEPS.rates))
    assert items(batch_size=BatchSize(256), schedule_trace=doubled) == {}


def test_the_five_faults_of_a_resnet_at_77() -> None:
    constant = replace(STEPS, rates=(0.5,) * 164, scheduler=None)
    still = replace(PAIRS, kinds={}, varies=False)
    plain = replace(SGD, lr=0.5, weight_decay=0.0)
    found = gap(schedule_trace=constant, augmentation_pairs=still, parameter_groups=(plain,)).differences
    assert [d.item for d in found] == ["augmentation", "peak rate", "weight decay", "schedule"]
    assert (found[0].here, found[0].points) == ("none", 7.2)
    assert found[1].points is None


def test_single_differences() -> None:
    assert items(epochs=30) == {"epochs": "30"}
    assert items(augmentation_pairs=replace(PAIRS, kinds={"mirrored": 0.5})) == {"augmentation": "mirrored"}
    assert items(parameter_groups=(replace(SGD, momentum=0.0),)) == {"momentum": "none", "peak rate": "0.1"}
    # The rate goes with the batch: 4096 of them would want 3.2.
    assert items(batch_size=BatchSize(4096)) == {"peak rate": "0.1", "batch size": "4096"}


def test_another_kind_of_optimizer_is_one_difference() -> None:
    low = replace(STEPS, rates=tuple(0.01 * r for r in STEPS.rates))
    assert items(parameter_groups=(ADAMW,), schedule_trace=low) == {"optimizer": "AdamW"}


def test_a_vision_transformer_without_its_regularization() -> None:
    constant = replace(STEPS, rates=(1e-3,) * 100, scheduler=None)
    found = items(family=VIT, parameter_groups=(ADAMW,), schedule_trace=constant, epochs=100)
    assert list(found) == ["augmentation", "schedule", "warm-up", "label smoothing"]


def test_what_is_not_known_is_not_compared() -> None:
    assert items(schedule_trace=None, epochs=None, batch_size=None, augmentation_pairs=None, criterion=None) == {}
    unclear = replace(PAIRS, kinds={"other": 1.0})
    assert items(augmentation_pairs=unclear) == {}


def test_no_recipe_no_gap() -> None:
    with pytest.raises(Unavailable, match="no recipe is known"):
        known_recipe(RESNET, FRESH, None)
    with pytest.raises(Unavailable, match="trained weights"):
        known_recipe(RESNET, Pretraining(109, 109), CIFAR)


def rate(batch: int, group: Group = SGD, family: ModelFamily = RESNET) -> RecipeRate:
    found: RecipeRate = recipe_rate(recipe(family), (group,), STEPS, BatchSize(batch))
    return found


def test_the_rate_is_scaled_with_the_batch() -> None:
    assert rate(128).ratio == pytest.approx(1)
    assert rate(1024).scaled == pytest.approx(0.8)
    assert rate(512, ADAMW, VIT).scaled == pytest.approx(2e-3)
    with pytest.raises(Unavailable, match="gives no rate"):
        rate(128, ADAMW)
