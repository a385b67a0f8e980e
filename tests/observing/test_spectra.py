"""Evaluations that come before spectral normalization has made an estimate."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.spectral import spectral_layers
from trainingdoctor.observing.assemble import assembled, rewound, traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import weight_origin

OLD, NEW = nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm
DATA = TensorDataset(torch.randn(32, 20), torch.arange(32) % 2)


class Loop:
    """A model, and the two halves of an epoch."""

    def __init__(self, wrap: Callable[..., Any]) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(wrap(nn.Linear(20, 40)), nn.ReLU(), nn.Linear(40, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01)

    def train(self) -> None:
        self.model.train()
        for x, y in DataLoader(DATA, 8):
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def test(self, size: int = 8) -> None:
        self.model.eval()
        with torch.no_grad():
            for x, _ in DataLoader(DATA, size):
                self.model(x)

    def look(self) -> None:
        """As a summary of the layers does."""
        self.model.eval()
        self.model(next(iter(DataLoader(DATA, 8)))[0])
        self.model(DATA.tensors[0])


def watched(wrap: Callable[..., Any], *halves: str) -> tuple[Recorder, Loop]:
    loop = Loop(wrap)
    with observed(Recorder(stops=False)) as recorder:
        for half in halves:
            getattr(loop, half)()
    return recorder, loop


def layers(recorder: Recorder, loop: Loop) -> Any:
    rewound(recorder)
    return spectral_layers(loop.model, (Batch(DATA.tensors[0], None),), traced(recorder))


def test_an_evaluation_before_the_first_estimate_is_found() -> None:
    found = layers(*watched(OLD, "test", "train", "test", "train"))
    assert found[0].trained < 1.5
    assert_unwell(weight_origin.spectral_norm, found, severity="warning", mentions="before any forward pass")


@pytest.mark.parametrize(
    ("wrap", "halves"),
    [(OLD, ("train", "test")), (OLD, ("look", "train", "test")), (NEW, ("test", "train"))],
    ids=["trained first", "only looked at", "estimated when applied"],
)
def test_others_are_healthy(wrap: Callable[..., Any], halves: tuple[str, ...]) -> None:
    assert_healthy(weight_origin.spectral_norm, layers(*watched(wrap, *halves)))


def test_the_place_and_a_single_batch_are_told(tmp_path: Any) -> None:
    recorder, _ = watched(OLD, "look", "test", "train")
    (seen,) = traced(recorder).spectral
    assert seen.where.startswith("test_spectra.py:")
    single = Loop(OLD)
    with observed(Recorder(stops=False)) as recorder:
        single.test(size=32)
        single.train()
    assert traced(recorder).spectral
    known = assembled(recorder, tmp_path / "train.py")[1]
    assert known["loop_trace"].spectral[0].name == "0"
