"""Bounded predictions told from small ones."""

import pytest
import torch
from torch import nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.outputs import Outputs, outputs

X = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))


def predicted(*tail: nn.Module) -> Outputs:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4), *tail)
    return outputs(model, (Batch(X, None),))


class SmallPositive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # Registered before the layer that runs first.
        self.head, self.body = nn.Linear(16, 4), nn.Linear(8, 16)
        nn.init.constant_(self.head.bias, 0.5)
        nn.init.normal_(self.head.weight, std=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x)))


@pytest.mark.parametrize("tail", [nn.Sigmoid(), nn.Hardsigmoid()])
def test_a_sigmoid_keeps_to_the_unit_range(tail: nn.Module) -> None:
    assert predicted(tail).are_unit_range


def test_small_positive_logits_do_not() -> None:
    found = outputs(SmallPositive(), (Batch(X, None),))
    assert 0 <= found.minimum <= found.maximum <= 1
    assert not found.are_unit_range


def test_zeros_of_a_relu() -> None:
    assert predicted(nn.ReLU()).zero_share > 0.2
    assert predicted().zero_share == 0


class Mixing(nn.Module):
    """Deep, with running statistics as initialized; adds to each sample's logits those of another."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU()) for _ in range(20)]
        self.body = nn.Sequential(*blocks, nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.body(x)
        return logits + logits.roll(1, 0)


def test_what_a_deep_net_does_to_its_batch_shows_before_it_has_running_statistics() -> None:
    torch.manual_seed(0)
    model = Mixing()
    assert outputs(model, (Batch(torch.randn(16, 8), None),)).mixing > 0.2
    assert {m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm1d)} == {0.1}


class Tagger(nn.Module):
    """Tags the words of one sentence, which has no batch dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.reads, self.head = nn.Embedding(9, 6), nn.LSTM(6, 6), nn.Linear(6, 3)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        tags: torch.Tensor = self.head(self.reads(self.table(words))[0])
        return tags


def test_the_words_of_a_sentence_are_no_batch_that_mixes() -> None:
    torch.manual_seed(0)
    batch = Batch(torch.randint(0, 9, (8,)), torch.randint(0, 3, (8,)))
    assert outputs(Tagger(), (batch,)).mixing < 0.05


def test_a_single_number_differs_from_itself_by_nothing() -> None:
    found = outputs(nn.Linear(8, 1), (Batch(X[:1], None),))
    assert found.repeat == 0.0


def test_what_the_weights_are_rounded_to_is_known() -> None:
    assert predicted().rounding == pytest.approx(1.2e-7, rel=0.1)
    assert outputs(nn.Linear(8, 4).bfloat16(), (Batch(X.bfloat16(), None),)).rounding == pytest.approx(7.8e-3, rel=0.1)
