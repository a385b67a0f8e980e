"""A training step as a loop makes it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.steps import training_step, wants_graph


class Curved(torch.optim.Optimizer):
    """A step along the gradient's sign, as long as the curvature allows: it differentiates the gradient again."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    def curvature(self, p: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(gradient.sum(), p, retain_graph=True)[0]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for p in self.param_groups[0]["params"]:
            h = self.curvature(p, p.grad)
            p.data.sub_(0.1 * p.grad.detach().sign() / (1 + h.abs()))


def test_an_optimizer_that_differentiates_gradients_gets_their_graph() -> None:
    model = nn.Linear(3, 1, bias=False)
    batch = Batch(torch.randn(8, 3), torch.randn(8, 1))
    before = model.weight.detach().clone()
    training_step(model, batch, nn.MSELoss(), [Curved(model.parameters())])
    assert not torch.equal(model.weight, before)
    assert model.weight.grad is not None
    assert model.weight.grad.grad_fn is not None


def test_others_do_not_pay_for_one() -> None:
    weights = [torch.ones(1, requires_grad=True)]
    assert wants_graph(Curved(weights))
    assert not any(wants_graph(kind(weights)) for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.LBFGS))
