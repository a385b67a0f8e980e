"""Of how many positions of a sequence a prediction depends on."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.position_use import PositionUse, position_use
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.model_sequences import reads_one_position

TOKENS = torch.randint(1, 20, (8, 12), generator=torch.Generator().manual_seed(0))
PADDED = TOKENS.clone()
PADDED[:4, 9:] = 0
VECTORS = torch.randn(8, 40, 5, generator=torch.Generator().manual_seed(0))


class Reader(nn.Module):
    """A recurrent net over tokens or vectors, of whose steps `read` takes what it wants."""

    def __init__(self, read: Callable[[Tensor], Tensor], both: bool = False) -> None:
        super().__init__()
        self.embedding, self.read = nn.Embedding(20, 5), read
        self.net = nn.GRU(5, 6, batch_first=True, bidirectional=both)
        self.head = nn.Linear(12 if both else 6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x if x.is_floating_point() else self.embedding(x)
        return torch.as_tensor(self.head(self.read(self.net(x)[0])))


class Classifier(nn.Module):
    """Attention of a first token to all others, behind a scale that starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.scale = nn.Embedding(20, 8), nn.Parameter(torch.zeros(1))
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x)
        return torch.as_tensor(self.head((x + self.scale * self.attention(x, x, x)[0])[:, 0]))


def used(model: nn.Module, inputs: Tensor) -> PositionUse:
    return position_use(model, (Batch(inputs, torch.zeros(len(inputs), dtype=torch.long)),))


@pytest.mark.parametrize("inputs", [TOKENS, PADDED, VECTORS])
def test_a_recurrent_net_that_is_read_at_its_first_step(inputs: Tensor) -> None:
    found = used(Reader(lambda out: out[:, 0]), inputs)
    assert (found.used, found.only) == (1, 0)
    assert_unwell(reads_one_position, found, severity="warning", mentions="first position")


def test_a_model_of_the_last_step_alone() -> None:
    model = nn.Sequential(nn.Embedding(20, 5), nn.Flatten(), nn.Linear(60, 2))
    with torch.no_grad():
        model[2].weight[:, :-5] = 0  # type: ignore[index]
    assert_unwell(reads_one_position, used(model, TOKENS), severity="warning", mentions="last position")


@pytest.mark.parametrize("inputs", [TOKENS, PADDED, VECTORS])
@pytest.mark.parametrize("read", [lambda out: out[:, -1], lambda out: out.mean(1), lambda out: out.amax(1)])
def test_one_that_has_seen_all(read: Callable[[Tensor], Tensor], inputs: Tensor) -> None:
    assert_healthy(reads_one_position, used(Reader(read), inputs))


def test_the_first_step_of_a_net_that_reads_both_ways_has_seen_all() -> None:
    assert_healthy(reads_one_position, used(Reader(lambda out: out[:, 0], both=True), TOKENS))


def test_a_first_token_that_attends_to_all_others() -> None:
    assert_healthy(reads_one_position, used(Classifier(), TOKENS))


def test_what_is_no_sequence_is_not_looked_at() -> None:
    with pytest.raises(Unavailable, match="no sequences"):
        used(nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), torch.randn(8, 3, 3))
    with pytest.raises(Unavailable, match="all predictions are the same"):
        used(Reader(lambda out: 0 * out[:, 0]), TOKENS)
