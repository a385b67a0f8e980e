"""Losses that are functions of the user's own: found by source and value."""

import sys

import torch
from torch import Tensor, nn

from trainingdoctor.observing.calls import CriterionCall
from trainingdoctor.observing.functions import LossCall, loss_call

X, Y = torch.randn(8, 4), torch.arange(8) % 2
NET = nn.Linear(4, 2)


def own(output: Tensor, target: Tensor, power: float = 2.0) -> Tensor:
    return (output.softmax(1)[torch.arange(len(target)), target] - 1).abs().pow(power).mean()


class Trainer:
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return own(output, target)

    def step(self) -> LossCall | None:
        output = NET(X)
        loss = self.loss(output, Y)
        return loss_call(sys._getframe(), loss, output)


def test_a_function_is_found_and_proven_by_its_value() -> None:
    output = NET(X)
    loss = own(output, Y, power=3.0) * 1.0
    found = loss_call(sys._getframe(), loss, output)
    assert found == LossCall(own, (output, Y), {"power": 3.0})


def test_a_method_is_found() -> None:
    found = Trainer().step()
    assert found is not None
    assert found.function.__name__ == "loss"


def test_the_model_may_be_called_in_its_arguments() -> None:
    models = {"output": NET(X)}
    loss = own(NET(X), Y)
    found = loss_call(sys._getframe(), loss, (models["output"], None))
    assert found is not None
    assert found.args[0] is models["output"]


def test_another_value_is_another_function() -> None:
    output = NET(X)
    loss = own(output, Y) + 1.0
    found = loss_call(sys._getframe(), loss, output)
    assert found is None
    assert loss_call(None, loss, output) is None


def test_arguments_that_belong_to_the_batch_make_no_criterion_of_two() -> None:
    output, weights = NET(X), torch.ones(2)
    cross = nn.functional.cross_entropy
    assert CriterionCall.of(cross, (output, Y, torch.ones(8)), {}, output) is None
    assert CriterionCall.of(cross, (output, Y), {"weight": output.detach()}, output) is None
    call = CriterionCall.of(cross, (output, Y, weights), {}, output)
    assert call is not None
    assert torch.equal(call.criterion()(output, Y), cross(output, Y, weights))


def test_a_criterion_with_names_of_its_own_is_left_alone() -> None:
    output = NET(X)
    assert CriterionCall.of(own, (), {"output": output, "goal": Y}, output) is None
