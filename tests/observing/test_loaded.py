"""Weights that a checkpoint brought, and what was made of them before the training."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.weight_origin import pretrained_lost

X, Y = torch.randn(8, 8), torch.arange(8) % 2


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    )


def anew(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)


def watched(
    between: Callable[[nn.Sequential], object], again: Callable[[nn.Sequential], object] = lambda _: None
) -> LoopTrace:
    """A state is loaded, something is done, and two steps are made, with something behind the first."""
    torch.manual_seed(0)
    recorder, state = Recorder(stops=False), net().state_dict()
    with observed(recorder):
        model = net()
        model.load_state_dict(state)
        between(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(2):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), Y).backward()
            optimizer.step()
            again(model)
    return traced(recorder)


def test_weights_that_are_initialized_behind_the_load() -> None:
    seen = watched(anew)
    assert seen.loaded is not None
    assert (seen.loaded.weights, seen.loaded.lost) == (4, 4)
    assert seen.loaded.where.startswith("test_loaded.py:")
    assert_unwell(pretrained_lost, seen, severity="warning", mentions="4 of the 4")
    assert_unwell(pretrained_lost, watched(lambda m: [nn.init.zeros_(p) for p in m.parameters()]), severity="warning")


def shrunk(model: nn.Module) -> None:
    """As Ash and Adams 2020 do for a warm start."""
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(0.4).add_(0.05 * torch.randn_like(p) * p.std())


@pytest.mark.parametrize(
    "between",
    [
        lambda _: None,
        shrunk,
        # A new head in place, and a new one.
        lambda m: m[-1].reset_parameters(),
        lambda m: m.__setitem__(6, nn.Linear(16, 2)),
        lambda m: prune.l1_unstructured(m[0], "weight", 0.5),
        # The second load is what counts.
        lambda m: (anew(m), m.load_state_dict(copy.deepcopy(m.state_dict()))),
    ],
)
def test_loaded_weights_that_stay(between: Callable[[nn.Sequential], object]) -> None:
    assert_healthy(pretrained_lost, watched(between))


def test_a_state_that_is_loaded_or_lost_later_is_none_of_it() -> None:
    assert_healthy(pretrained_lost, watched(lambda _: None, again=lambda m: m.load_state_dict(net().state_dict())))
    assert_healthy(pretrained_lost, LoopTrace())
