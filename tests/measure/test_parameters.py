"""Which parameters train, and whether the others ever did."""

import copy

import torch
from torch import nn

from trainingdoctor.measure.parameters import trainable


def test_frozen_weights_that_are_as_torch_initializes_them_are_counted() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.RNN(28, 64, batch_first=True), nn.Conv2d(8, 16, 3), nn.Linear(64, 10))
    model[:2].requires_grad_(False)
    weights = [p for p in model[:2].parameters() if p.ndim > 1]
    assert trainable(model).untouched == sum(p.numel() for p in weights)
    assert trainable(model).body_only
    # An adapter on the first layer: not a body and its head.
    assert not trainable(nn.Sequential(nn.Linear(64, 64), model)).body_only
    with torch.no_grad():
        for weight in weights:
            weight.add_(torch.randn_like(weight) * weight.std())
    assert trainable(model).untouched == 0


def test_trainable_weights_and_small_or_constant_ones_are_not() -> None:
    assert trainable(nn.Linear(64, 64)).untouched == 0
    assert trainable(nn.Linear(4, 4).requires_grad_(False)).untouched == 0
    model = nn.Linear(64, 64).requires_grad_(False)
    nn.init.zeros_(model.weight)
    assert trainable(model).untouched == 0


def test_a_momentum_encoder_is_none_of_them() -> None:
    class Contrast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder_q = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
            self.encoder_k = copy.deepcopy(self.encoder_q).requires_grad_(False)

    assert trainable(Contrast()).untouched == 0
