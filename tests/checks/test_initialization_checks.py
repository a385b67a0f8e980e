"""The checks of the initialization, on small nets with real steps."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.reference_init import ReferenceInit, reference_init
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import initialization


class Encoder(nn.Module):
    """One layer as BERT's: queries, keys and values apart, and a pooler with tanh; all weights of deviation 0.02."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out, self.pooler = nn.Linear(width, width), nn.Linear(width, width)
        self.head = nn.Linear(width, 3)
        for module in (m for m in self.modules() if isinstance(m, nn.Linear | nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.norms[0](self.embed(ids))
        seen = nn.functional.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x))
        x = self.norms[1](x + self.out(seen))
        logits: Tensor = self.head(torch.tanh(self.pooler(x[:, 0])))
        return logits


def measured(model: nn.Module, inputs: Tensor) -> ReferenceInit:
    targets = torch.arange(len(inputs)) % 3
    return reference_init(model, (Batch(inputs, targets),), nn.CrossEntropyLoss())


def stacked(depth: int, activation: Callable[[], nn.Module], head: float | None = None) -> ReferenceInit:
    """Of an MLP of that many layers. head: the deviation of the last one's weights, where it is not PyTorch's."""
    torch.manual_seed(0)
    layers = [m for _ in range(depth - 1) for m in (nn.Linear(32, 32), nn.BatchNorm1d(32), activation())]
    if activation is not nn.ReLU:
        layers = [m for m in layers if not isinstance(m, nn.BatchNorm1d)]
    last = nn.Linear(32, 3)
    if head is not None:
        nn.init.normal_(last.weight, std=head)
    return measured(nn.Sequential(*layers, last), torch.randn(16, 32))


@pytest.mark.parametrize("width", [16, 64])
def test_small_weights_of_a_narrow_transformer_let_gradients_through(width: int) -> None:
    torch.manual_seed(0)
    assert_healthy(initialization.gradient_flow, measured(Encoder(width), torch.randint(50, (16, 12))))


@pytest.mark.parametrize("head", [1e-2, 1e-3, 1e-4])
def test_a_small_head_is_no_vanishing_gradient(head: float) -> None:
    assert_healthy(initialization.gradient_flow, stacked(8, nn.ReLU, head))


def test_a_stack_of_sigmoids_is() -> None:
    assert_unwell(initialization.gradient_flow, stacked(10, nn.Sigmoid), severity="warning", mentions="vanish")
