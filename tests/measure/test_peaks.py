"""How much of an attention goes to one position."""

import math

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.function_use import FunctionUse, function_use
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.activations import attention_saturated

FRESH, TRAINED = Pretraining(6, 0), Pretraining(6, 6)
WIDTH, HEADS = 64, 2
X = torch.randn(8, 20, WIDTH, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """scores are multiplied by `scale`; by torch's function, or by hand. places: they do not depend on the sample."""

    def __init__(self, scale: float, function: bool = False, places: bool = False, causal: bool = False) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.scale, self.function, self.places, self.causal = scale, function, places, causal

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = self.qkv(y).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        if self.function:
            seen = nn.functional.scaled_dot_product_attention(q, k, v, scale=self.scale)
        else:
            scores = q @ k.mT * self.scale
            scores = 0 * scores + 20 * torch.eye(20) if self.places else scores
            scores = scores.masked_fill(torch.ones(20, 20).triu(1).bool(), -1e9) if self.causal else scores
            seen = scores.softmax(-1) @ v
        return torch.as_tensor(x + self.out(seen.transpose(1, 2).flatten(2)))


def used(*, blocks: int = 3, **more: object) -> FunctionUse:
    torch.manual_seed(0)
    model = nn.Sequential(*(Block(**more) for _ in range(blocks)), nn.Flatten(), nn.Linear(20 * WIDTH, 3))  # type: ignore[arg-type]
    return function_use(model, (Batch(X, torch.zeros(8, dtype=torch.long)),))


ROOT = math.sqrt(WIDTH / HEADS)


@pytest.mark.parametrize("function", [False, True])
def test_scores_that_are_multiplied_by_the_root(function: bool) -> None:
    found = used(scale=ROOT, function=function)
    assert len(found.peaks) == 3
    assert_unwell(attention_saturated, found, FRESH, severity="warning", mentions="3 of 3")
    # What a training made sharp is sharp on purpose.
    assert_healthy(attention_saturated, found, TRAINED)


@pytest.mark.parametrize(
    "more",
    [
        {"scale": 1 / ROOT},
        {"scale": 1 / ROOT, "function": True},
        # Without any scale, as some recommend with a smaller initialization.
        {"scale": 1.0},
        {"scale": 1 / ROOT, "causal": True},
        {"scale": 1.0, "places": True},
        {"scale": ROOT, "blocks": 2},
    ],
)
def test_attention_that_looks_around(more: dict[str, object]) -> None:
    assert_healthy(attention_saturated, used(**more), FRESH)  # type: ignore[arg-type]
