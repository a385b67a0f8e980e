"""Whether the order of tokens matters to a model."""

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.token_order import TokenOrder, token_order
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.model_sequences import ignores_order

TOKENS = torch.randint(1, 20, (8, 9), generator=torch.Generator().manual_seed(0))
TOKENS[:4, 6:] = 0


class Encoder(nn.Module):
    """Self-attention, of torch or by hand, and a mean over what is no padding."""

    def __init__(self, positions: Tensor | None, by_hand: bool = False) -> None:
        super().__init__()
        self.embedding, self.by_hand = nn.Embedding(20, 8), by_hand
        self.positions = None if positions is None else nn.Parameter(positions)
        self.layer, self.head = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        padding = tokens == 0
        x = self.embedding(tokens)
        x = x if self.positions is None else x + self.positions
        if self.by_hand:
            x = (x @ x.mT).masked_fill(padding[:, None], -1e9).softmax(-1) @ x
        else:
            x = self.layer(x, src_key_padding_mask=padding)
        return torch.as_tensor(self.head(x.masked_fill(padding[..., None], 0).sum(1)))


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.EmbeddingBag(20, 8), nn.Linear(8, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.embedding(tokens)))


def order(model: nn.Module, tokens: Tensor = TOKENS) -> TokenOrder:
    return token_order(model, (Batch(tokens, torch.zeros(len(tokens))),))


def sentences(ordered: bool) -> Batch:
    """The class is whether word 1 comes before word 2, or which of them there is."""
    random = torch.Generator().manual_seed(0)
    tokens, classes = torch.randint(3, 20, (200, 9), generator=random), torch.randint(2, (200,), generator=random)
    tokens[:, 2] = 1 + classes
    tokens[:, 5] = 2 - classes if ordered else 3
    return Batch(tokens, classes)


@pytest.mark.parametrize("by_hand", [False, True])
def test_attention_without_positions_is_found(by_hand: bool) -> None:
    torch.manual_seed(0)
    found = token_order(Encoder(None, by_hand), (sentences(ordered=True),))
    assert_unwell(ignores_order, found, severity="warning", mentions="no positions")


def test_where_the_tokens_tell_the_class_a_bag_may_be_enough() -> None:
    torch.manual_seed(0)
    found = token_order(Encoder(None), (sentences(ordered=False),))
    assert found.told is not None
    assert found.told > 10
    assert_unwell(ignores_order, found, severity="info", mentions="no positions")
    # Few samples say nothing.
    assert order(Encoder(None)).told is None


def test_attention_with_positions_is_fine() -> None:
    torch.manual_seed(0)
    # As in a ViT they may be zero at the start.
    for positions in (0.02 * torch.randn(9, 8), torch.zeros(9, 8)):
        assert_healthy(ignores_order, order(Encoder(positions)))


def test_a_bag_of_words_is_one_on_purpose() -> None:
    found = order(Bag())
    assert found.change < 1e-3
    assert_healthy(ignores_order, found)


def test_numbers_are_no_tokens() -> None:
    with pytest.raises(Unavailable, match="no token sequences"):
        order(Bag(), torch.rand(8, 9))
