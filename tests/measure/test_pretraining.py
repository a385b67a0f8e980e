"""Trained and fresh weights are told apart by their normalization layers."""

import torch
from torch import nn

from trainingdoctor.measure.pretraining import Pretraining, pretraining


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))


def test_a_fresh_net_is_not_pretrained() -> None:
    assert pretraining(net()) == Pretraining(1, 0)


def test_zero_initialized_scales_are_fresh() -> None:
    model = net()
    nn.init.zeros_(model[1].weight)
    assert not pretraining(model).done


def test_drawn_scales_are_fresh() -> None:
    model = net()
    nn.init.normal_(model[1].weight, 1.0, 0.02)
    assert pretraining(model) == Pretraining(1, 0)


def test_a_layer_without_shifts_is_told_by_its_scales() -> None:
    model = nn.LayerNorm(8, bias=False)
    assert not pretraining(model).done
    nn.init.normal_(model.weight)
    assert pretraining(model).done


def test_a_step_leaves_its_mark() -> None:
    model = net()
    model(torch.randn(16, 3, 8, 8)).square().mean().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert pretraining(model) == Pretraining(1, 1)


def test_a_new_head_does_not_hide_a_trained_backbone() -> None:
    model = nn.Sequential(nn.LayerNorm(8), nn.LayerNorm(8), nn.LayerNorm(8))
    for norm in model[:2]:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    assert pretraining(model).done


def test_without_normalization_nothing_is_known() -> None:
    assert not pretraining(nn.Linear(4, 4)).done


def test_a_layer_that_counts_a_trainings_batches_was_trained() -> None:
    model = net()
    model[1].num_batches_tracked.fill_(10_000)
    assert pretraining(model).done


def test_a_pass_that_a_model_makes_when_it_is_built_is_no_training() -> None:
    model = net()
    model(torch.randn(16, 3, 8, 8))
    assert not pretraining(model).done
