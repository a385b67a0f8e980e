"""Hooks are gone after their block."""

import pytest
import torch
from torch import nn

from trainingdoctor.measure.hooks import attached, leaves


def test_hooks_are_there_in_the_block_alone_and_where_it_raises() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    ran: list[nn.Module] = []
    hooks = (m.register_forward_pre_hook(lambda module, _: ran.append(module)) for m in model)
    with pytest.raises(RuntimeError, match="shapes"), attached(hooks):
        model(torch.zeros(1, 3))
    model(torch.zeros(1, 2))
    assert ran == [model[0]]


def test_leaves_are_modules_without_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    assert list(leaves(model)) == [("0", model[0]), ("1.0", model[1][0])]
    assert [name for name, _ in leaves(nn.ReLU())] == [""]
