"""Parameter groups whose rates are far apart."""

from dataclasses import replace

import pytest

from trainingdoctor.measure.optimizers import Group
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.learning import group_too_low
from trainingdoctor_checks.weight_decay import on_norm_and_bias

FRESH, TRAINED, UNKNOWN = Pretraining(6, 0), Pretraining(6, 6), Pretraining(0, 0)
HEAD = Group("optimizer.param_groups[1]", "SGD", 0.05, 0.05, 5e-4, 0.9, False, None, None, 1_000, 10)
BODY = replace(HEAD, place="optimizer.param_groups[0]", lr=1e-5, base_lr=1e-5, weights=200_000)


def adam(group: Group, rate: float) -> Group:
    return replace(group, optimizer="AdamW", momentum=None, betas=(0.9, 0.999), lr=rate, base_lr=rate)


def test_a_body_at_the_rate_of_a_fine_tuning() -> None:
    found = assert_unwell(group_too_low, (BODY, HEAD), FRESH, severity="warning", mentions="200,000 of 201,000")
    assert found.where == ("optimizer.param_groups[0].lr",)
    assert_unwell(group_too_low, (adam(BODY, 1e-7), adam(HEAD, 1e-3)), FRESH, severity="warning")


@pytest.mark.parametrize(
    ("groups", "pretraining"),
    [
        ((BODY, HEAD), TRAINED),
        ((BODY, HEAD), UNKNOWN),
        ((replace(BODY, base_lr=0.05), HEAD), FRESH),
        # By layer, a factor of 0.75 each; and one that is unfrozen later.
        ((replace(BODY, base_lr=0.002), HEAD), FRESH),
        ((replace(BODY, base_lr=0.0), HEAD), FRESH),
        # A few numbers of their own, such as a temperature's.
        ((replace(BODY, weights=500), HEAD), FRESH),
        ((adam(BODY, 1e-5), adam(HEAD, 1e-2)), FRESH),
        # Muon for the matrices, Adam for the rest.
        ((replace(BODY, optimizer="Muon", base_lr=0.02), adam(HEAD, 3e-4)), FRESH),
        ((BODY,), FRESH),
    ],
)
def test_rates_that_belong_together(groups: tuple[Group, ...], pretraining: Pretraining) -> None:
    assert_healthy(group_too_low, groups, pretraining)


def test_decay_on_biases_alone_is_the_wrong_way_round() -> None:
    norms = replace(HEAD, weights=0, norms_and_biases=500, weight_decay=0.05)
    weights = replace(BODY, norms_and_biases=0, weight_decay=0.0)
    assert_unwell(on_norm_and_bias, (norms, weights), severity="warning", mentions="none of the 200,000")
    assert_unwell(on_norm_and_bias, (HEAD, weights), severity="info")
    assert_healthy(on_norm_and_bias, (replace(norms, weight_decay=0.0), replace(weights, weight_decay=0.05)))
    assert_healthy(on_norm_and_bias, (replace(norms, weight_decay=0.0), weights))
