"""The report's header."""

import torch
from torch import nn

from trainingdoctor.measure.summary import _optimizer


def test_an_optimizer_is_told_by_the_group_that_holds_most() -> None:
    net = nn.Linear(4, 3)
    groups = [{"params": [net.bias], "lr": 0.01, "weight_decay": 0.0}, {"params": [net.weight]}]
    told = _optimizer(torch.optim.SGD(groups, lr=0.1, weight_decay=1e-4))
    assert (told["param_groups"], told["lr"], told["weight_decay"]) == (2, 0.1, 1e-4)
    assert _optimizer(object()) == {"class": "object", "param_groups": 1}
