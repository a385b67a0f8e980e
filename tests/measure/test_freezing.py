"""Attempts to freeze that freeze nothing."""

import torch
from torch import nn

from trainingdoctor.measure.freezing import vain_freezes


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_an_attribute_on_a_module() -> None:
    net = model()
    net[0].requires_grad = False  # type: ignore[assignment]
    (found,) = vain_freezes(net)
    assert (found.where, found.attribute, found.numbers, found.on_module) == ("0", "requires_grad", 16, True)


def test_a_misspelt_attribute_on_a_parameter() -> None:
    net = model()
    net[2].weight.require_grad = False  # type: ignore[attr-defined]
    assert [(v.where, v.attribute, v.numbers) for v in vain_freezes(net)] == [("2.weight", "require_grad", 8)]


def test_what_is_really_frozen_leaves_nothing_that_trains() -> None:
    net = model()
    net[0].requires_grad = False  # type: ignore[assignment]
    net[0].requires_grad_(False)
    assert [v.numbers for v in vain_freezes(net)] == [0]


def test_other_attributes_are_no_attempts() -> None:
    net = model()
    net.use_grad_checkpointing = False  # type: ignore[assignment]
    net[0].trainable = False  # type: ignore[assignment]
    net[0].requires_grad_(False)
    net[2].weight.tag = torch.zeros(1)  # type: ignore[attr-defined]
    assert vain_freezes(net) == ()
