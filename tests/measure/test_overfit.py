"""Learning one batch by heart: told apart from a rate that is too low for a net of a few large weights."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize as normed

from trainingdoctor import Note
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.overfit import Overfit, overfit
from trainingdoctor_checks.learning import not_learning


def learn(model: nn.Module, criterion: Any, batch: Batch) -> Overfit:
    torch.manual_seed(0)
    found: Overfit = overfit(model, criterion, (batch,), None)
    return found


def few_sigmoids() -> nn.Sequential:
    torch.manual_seed(0)
    units = (nn.Linear(8, 6), nn.Sigmoid(), nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
    return nn.Sequential(*units)


X = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))


def test_a_net_of_a_few_sigmoids_learns_at_a_higher_rate() -> None:
    found = learn(few_sigmoids(), nn.BCELoss(), Batch(X, (X[:, :1] > X[:, :1].median()).float()))
    assert found.rate > 1e-3
    assert found.progress > 0.5


def test_what_does_not_see_its_input_learns_at_no_rate() -> None:
    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = few_sigmoids()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen: torch.Tensor = self.net(0 * x)
            return seen

    found = learn(Blind(), nn.BCELoss(), Batch(X, (X[:, :1] > X[:, :1].median()).float()))
    assert found.progress < 0.1
    assert found.whole


def test_what_learns_is_tried_once() -> None:
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
    found = learn(model, nn.CrossEntropyLoss(), Batch(X, (X[:, 0] > 0).long()))
    assert found.rate == 1e-3
    assert found.progress >= 0.1


def test_the_second_try_starts_where_the_first_did() -> None:
    """State that no state_dict can put back: an expanded buffer, and a count in a plain attribute."""
    starts: list[list[torch.Tensor]] = []

    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.calls = few_sigmoids(), 0
            self.register_buffer("wide", torch.zeros(1, 8).expand(3, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.calls == 0:
                starts.append([p.detach().clone() for p in self.net.parameters()])
            self.calls += 1
            seen: torch.Tensor = self.net(x * self.wide[:1])
            return seen

    learn(Blind(), nn.BCELoss(), Batch(X, (X[:, :1] > X[:, :1].median()).float()))
    first, second = starts
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class Variational(nn.Module):
    """An autoencoder of grey images, which can be blind, or cut off from its decoder."""

    def __init__(self, sick: str) -> None:
        super().__init__()
        self.encode, self.mean, self.log = nn.Linear(64, 64), nn.Linear(64, 8), nn.Linear(64, 8)
        self.decode = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.Sigmoid())
        self.sick = sick

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        code = self.encode(0 * x if self.sick == "blind" else x).relu()
        mean, log = self.mean(code), self.log(code)
        pixels = self.decode(mean + torch.randn_like(mean) * (log / 2).exp())
        return (pixels.detach() if self.sick == "cut" else pixels), mean, log


def grey() -> torch.Tensor:
    """Soft spots of 8x8 pixels between 0.25 and 0.75: most of their cross-entropy never goes away."""
    place = 8 * torch.rand(32, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    y, x = torch.arange(8.0).view(1, 8, 1), torch.arange(8.0)
    return 0.25 + 0.5 * torch.exp(-((x - place[:, 0]) ** 2 + (y - place[:, 1]) ** 2) / 10).flatten(1)


def summed(output: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
    pixels, mean, log = output
    loss = nn.functional.binary_cross_entropy(pixels, targets, reduction="sum")
    return (loss - 0.5 * (1 + log - mean**2 - log.exp()).sum()) / len(targets)


@pytest.mark.parametrize("sick", ["", "blind", "cut"])
def test_a_loss_that_cannot_come_down_to_0_is_measured_by_its_floor(sick: str) -> None:
    torch.manual_seed(0)
    x = grey()
    found = learn(Variational(sick), summed, Batch(x, x))
    assert found.losses[0] - found.best < 0.1 * found.losses[0]
    assert (found.progress >= 0.1) == (not sick)
    said = [f.severity for f in not_learning(found) if not isinstance(f, Note)]
    assert said == (["critical"] if sick else [])


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(
    ("criterion", "outputs", "targets"),
    [
        (nn.CrossEntropyLoss(label_smoothing=0.9), 4, torch.arange(32) % 4),
        (lambda o, t: -(t * o.log_softmax(1)).sum(1).mean(), 5, (X[:, :5] / 2).softmax(1)),
        (lambda o, t: 50 + nn.functional.mse_loss(o, t), 1, X[:, :1]),
        (lambda o, t: nn.functional.gaussian_nll_loss(o[:, :1] / 100, t, (o[:, 1:] - 9).exp()), 2, X[:, :1] / 100),
        (lambda o, t: nn.functional.cross_entropy(2 * normed(o) @ normed(o + X[:, :6] / 9).T, t), 6, torch.arange(32)),
    ],
    ids=["smoothed", "soft targets", "offset", "a density, below 0", "contrastive"],
)
def test_floors_of_other_losses(criterion: Any, outputs: int, targets: torch.Tensor, blind: bool) -> None:
    torch.manual_seed(1)
    x = 0 * X if blind else X
    found = learn(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, outputs)), criterion, Batch(x, targets))
    assert (found.progress >= 0.1) == (not blind)


@pytest.mark.parametrize(("frozen", "normalized"), [(False, True), (True, False)])
def test_a_head_on_a_frozen_body_is_given_all_steps(frozen: bool, normalized: bool) -> None:
    body = nn.Sequential(nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU()).requires_grad_(not frozen)
    found = learn(nn.Sequential(body, nn.Linear(64, 2)), nn.CrossEntropyLoss(), Batch(X, (X[:, 0] > 0).long()))
    assert found.normalized is normalized


def test_too_few_steps_of_a_head_are_no_verdict() -> None:
    slow = Overfit((3.8, *[2.1] * 58), 0.12, 32, 1e-3, 2.3, learned=False, normalized=False, whole=False)
    assert [type(v) for v in not_learning(slow)] == [Note]
