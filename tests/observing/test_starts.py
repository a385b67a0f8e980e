"""Passes that begin with the random state of the one before."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import loop_passes

DATA = TensorDataset(torch.randn(60, 4), torch.arange(60) % 2)


def nothing(_: Any) -> None:
    pass


def seeded(_: Any) -> None:
    torch.manual_seed(3)


def apart(_: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)


def generator_seeded(loader: Any) -> None:
    loader.generator.manual_seed(3)


def reseeded(
    before: Callable[[Any], None] = nothing,
    after: Callable[[Any], None] = nothing,
    folds: int = 1,
    epochs: int = 3,
    tasks: bool = False,
    **loader: Any,
) -> int:
    """Passes that begin as the one before, of three epochs with an evaluation each. before, after: called in each epoch."""
    recorder = Recorder(stops=False)
    data = [TensorDataset(*DATA.tensors) if tasks else DATA for _ in range(epochs)]
    loaders, test = [DataLoader(d, 10, **(loader or {"shuffle": True})) for d in data], DataLoader(DATA, 10)
    with observed(recorder):
        for _ in range(folds):
            if folds > 1:
                torch.manual_seed(3)
            model = nn.Linear(4, 2)
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            for train in loaders if tasks else loaders[:1] * epochs:
                before(train)
                for x, y in train:
                    optimizer.zero_grad()
                    nn.functional.cross_entropy(model(x), y).backward()
                    optimizer.step()
                with torch.no_grad():
                    for x, _ in test:
                        model(x)
                after(train)
    seen = traced(recorder)
    verdict = assert_unwell if seen.reseeded else assert_healthy
    verdict(loop_passes.reseeded, seen)
    return seen.reseeded


def test_a_seed_in_each_epoch() -> None:
    assert reseeded(seeded) == 2


def test_a_seed_after_each_epoch_for_pictures_that_are_always_the_same() -> None:
    assert reseeded(after=seeded) == 1


def test_a_generator_that_is_seeded_in_each_epoch() -> None:
    assert reseeded(generator_seeded, shuffle=True, generator=torch.Generator()) == 2


@pytest.mark.parametrize(
    "loop",
    [
        {},
        {"before": apart},
        {"after": apart},
        {"shuffle": True, "generator": torch.Generator()},
        # Not shuffled: that is said by another check.
        {"before": seeded, "shuffle": False},
        # Each fold begins with the seed, and an optimizer of its own.
        {"folds": 3, "epochs": 1},
        # Each task does, and has data of its own.
        {"before": seeded, "tasks": True},
    ],
)
def test_states_that_go_on(loop: dict[str, Any]) -> None:
    assert reseeded(**loop) == 0
