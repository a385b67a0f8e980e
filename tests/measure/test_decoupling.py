"""What optimizers that are none of torch's do with their weight decay."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from trainingdoctor import Finding
from trainingdoctor.measure.optimizers import Group, parameter_groups
from trainingdoctor_checks.optimizer import coupled_decay


class RAdam(torch.optim.Optimizer):
    """By its name it decays through the gradient, and it decays beside it."""

    through = False

    def __init__(self, params: Any, lr: float = 1e-3, betas: Any = (0.9, 0.999), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                decay = group["weight_decay"] * p
                gradient = p.grad + decay if self.through else p.grad
                p.sub_(group["lr"] * gradient / (gradient.abs() + 1e-8))
                if not self.through:
                    p.sub_(group["lr"] * decay)


class Coupled(RAdam):
    """Through the gradient."""

    through = True


class Picky(RAdam):
    """It cannot be built a second time."""

    def __init__(self, model: Any, params: Any) -> None:
        super().__init__(params, weight_decay=0.1)


def group_of(optimizer: Any) -> Group:
    return parameter_groups((optimizer,), None)[0]


WEIGHTS = [torch.ones(2, 2, requires_grad=True)]


@pytest.mark.parametrize(
    ("optimizer", "flag"),
    [
        (RAdam(WEIGHTS, weight_decay=0.01), True),
        (Coupled(WEIGHTS, weight_decay=0.01), False),
        (Picky(None, WEIGHTS), None),
        (RAdam(WEIGHTS), None),
    ],
)
def test_its_decay_is_tried(optimizer: Any, flag: bool | None) -> None:
    assert group_of(optimizer).decoupled_flag is flag


def test_a_name_of_torch_is_no_evidence() -> None:
    own = torch.optim.RAdam(WEIGHTS, weight_decay=0.01)
    assert [f.severity for f in coupled_decay((group_of(own),)) if isinstance(f, Finding)] == ["warning"]
    assert not list(coupled_decay((group_of(RAdam(WEIGHTS, weight_decay=0.01)),)))
