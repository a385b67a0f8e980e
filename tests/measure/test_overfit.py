"""Learning one batch by heart: told apart from a rate that is too low for a net of a few large weights."""

import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.overfit import Overfit, overfit


def learn(model: nn.Module, criterion: nn.Module, batch: Batch) -> Overfit:
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
