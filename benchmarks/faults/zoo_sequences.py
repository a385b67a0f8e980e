"""Sick trainings on sequences: attention without positions, padding that is read, answers that are seen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, AdamW
from torch.optim.lr_scheduler import LinearLR
from zoo import loaders_of

from trainingdoctor import Training


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _trained(model: nn.Module, loaders: dict[str, Any], epochs: int = 8, rate: float = 5e-4) -> Training:
    """AdamW with a linear decay per step."""
    optimizer = AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    scheduler = LinearLR(optimizer, 1.0, 0.0, epochs * len(loaders["train_loader"]))
    criterion = nn.CrossEntropyLoss()
    more: dict[str, Any] = {"scheduler": scheduler, "scheduler_interval": "step", "epochs": epochs}
    return Training(model=model, **loaders, criterion=criterion, optimizer=optimizer, **more)


def _who_is_first() -> dict[str, Any]:
    """Two names among other words; the class tells which of them comes first."""
    ids = torch.randint(10, 200, (4000, 20), generator=_seeded())
    at = torch.rand(4000, 20, generator=_seeded(1)).argsort(1)[:, :2]
    ids.scatter_(1, at[:, :1], 1).scatter_(1, at[:, 1:], 2)
    return loaders_of(ids, (at[:, 0] < at[:, 1]).long(), batch_size=32)


class Bag(nn.Module):
    """A transformer encoder over embeddings, and the mean of what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(200, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, 0.1, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(64, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(ids)).mean(1))


class Asking(nn.Module):
    """A learned question that attends to the tokens after they attended to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.question = nn.Embedding(200, 64), nn.Parameter(0.02 * torch.randn(1, 1, 64))
        self.inner = nn.MultiheadAttention(64, 4, batch_first=True)
        self.outer = nn.MultiheadAttention(64, 4, batch_first=True)
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        x = self.norm(x + self.inner(x, x, x, need_weights=False)[0])
        return self.head(self.outer(self.question.expand(len(x), -1, -1), x, x, need_weights=False)[0][:, 0])


class Sharp(nn.Module):
    """A block whose scores are multiplied by the root of the head's width, which was to divide them; by torch's function, or by hand."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(64) for _ in range(2))
        self.qkv, self.out, self.by_hand = nn.Linear(64, 192), nn.Linear(64, 64), by_hand
        self.mlp = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norms[0](x)).unflatten(-1, (3, 2, 32)).permute(2, 0, 3, 1, 4)
        scale = 32**0.5
        seen = (
            (q @ k.mT * scale).softmax(-1) @ v if self.by_hand else F.scaled_dot_product_attention(q, k, v, scale=scale)
        )
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norms[1](x))


class SharpReader(nn.Module):
    """Four such blocks over embeddings and positions."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(200, 64), nn.Parameter(0.5 * torch.randn(1, 20, 64))
        self.blocks, self.norm = nn.Sequential(*(Sharp(by_hand) for _ in range(4))), nn.LayerNorm(64)
        self.head = nn.Linear(64, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.embedding(ids) + self.positions)).mean(1))


def scores_divided_by_the_reciprocal() -> Training:
    torch.manual_seed(0)
    return _trained(SharpReader(by_hand=True), _who_is_first())


def scores_times_the_root() -> Training:
    torch.manual_seed(0)
    return _trained(SharpReader(by_hand=False), _who_is_first())


def attention_without_positions() -> Training:
    torch.manual_seed(0)
    return _trained(Bag(), _who_is_first())


def question_without_positions() -> Training:
    torch.manual_seed(0)
    return _trained(Asking(), _who_is_first())


def _padded() -> dict[str, Any]:
    """Sentences of 5 to 60 tokens, filled up with zeros; the class is told by which tokens are frequent."""
    y = torch.arange(4000) % 4
    length = (5 + 55 * torch.rand(4000, generator=_seeded()) ** 2).long()
    own = torch.randint(1, 50, (4000, 60), generator=_seeded(1)) + 50 * y[:, None]
    common = torch.randint(200, 500, (4000, 60), generator=_seeded(2))
    ids = torch.where(torch.rand(4000, 60, generator=_seeded(3)) < 0.3, own, common)
    return loaders_of(ids * (torch.arange(60) < length[:, None]), y, batch_size=32)


class LastStep(nn.Module):
    """An LSTM's output at the last position."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 64, padding_idx=0)
        self.lstm, self.head = nn.LSTM(64, 64, batch_first=True), nn.Linear(64, 4)

    def forward(self, ids: Tensor) -> Tensor:
        out, _ = self.lstm(self.embedding(ids))
        return self.head(out[:, -1])


class FirstStep(LastStep):
    """The same at the first position."""

    def forward(self, ids: Tensor) -> Tensor:
        out, _ = self.lstm(self.embedding(ids))
        return self.head(out[:, 0])


class FirstOfSequence(nn.Module):
    """A GRU over rows of numbers, read where the batch was taken for the time."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(8, 32, batch_first=True), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][:, 0])


class MeanOfAll(nn.Module):
    """Convolutions over the tokens, and the mean over all positions."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 64, padding_idx=0)
        self.conv, self.head = nn.Conv1d(64, 64, 3, padding=1), nn.Linear(64, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(F.relu(self.conv(self.embedding(ids).transpose(1, 2))).mean(2))


def last_step_is_padding() -> Training:
    torch.manual_seed(0)
    return _trained(LastStep(), _padded(), rate=2e-3)


def first_step_is_read() -> Training:
    torch.manual_seed(0)
    return _trained(FirstStep(), _full(), rate=2e-3)


def first_row_is_read() -> Training:
    """The class is told by the direction in which noisy rows drift."""
    torch.manual_seed(0)
    y = torch.arange(3000) % 3
    drift = (y - 1)[:, None, None] * torch.linspace(0, 1, 30)[:, None]
    x = drift + 0.7 * torch.randn(3000, 30, 8, generator=_seeded(1))
    return _trained(FirstOfSequence(), loaders_of(x, y, batch_size=32), rate=2e-3)


def mean_over_padding() -> Training:
    torch.manual_seed(0)
    return _trained(MeanOfAll(), _padded(), rate=2e-3)


class OneWeight(nn.Module):
    """Attention pooling: a score per position, and a softmax over the wrong dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.gru = nn.Embedding(500, 64, padding_idx=0), nn.GRU(64, 64, batch_first=True)
        self.score, self.head = nn.Linear(64, 1), nn.Linear(64, 4)

    def forward(self, ids: Tensor) -> Tensor:
        out, _ = self.gru(self.embedding(ids))
        weights = torch.softmax(self.score(out), dim=-1)
        return self.head((weights * out).sum(1))


def _full() -> dict[str, Any]:
    """Sentences of 24 tokens, no padding."""
    y = torch.arange(4000) % 4
    own = torch.randint(1, 50, (4000, 24), generator=_seeded(1)) + 50 * y[:, None]
    common = torch.randint(200, 500, (4000, 24), generator=_seeded(2))
    ids = torch.where(torch.rand(4000, 24, generator=_seeded(3)) < 0.2, own, common)
    return loaders_of(ids, y, batch_size=32)


def pooling_weights_over_one() -> Training:
    torch.manual_seed(0)
    return _trained(OneWeight(), _full(), rate=2e-3)


def _text(shift: int = 1) -> dict[str, Any]:
    """Noisy periodic strings and what follows each of their characters."""
    start = torch.randint(0, 30, (3000, 1), generator=_seeded())
    text = (start + torch.arange(33) * (1 + start % 3)) % 30
    noise = torch.rand(3000, 33, generator=_seeded(1)) < 0.15
    text = torch.where(noise, torch.randint(0, 30, (3000, 33), generator=_seeded(2)), text)
    return loaders_of(text[:, :-1].contiguous(), text[:, shift : 32 + shift].contiguous())


class Uncovered(nn.Module):
    """A small GPT without its mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(30, 64), nn.Parameter(0.02 * torch.randn(1, 32, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 128, 0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 30)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.embedding(x) + self.position))).transpose(1, 2)


class BothWays(nn.Module):
    """A language model of a bidirectional LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(30, 64), nn.Linear(128, 30)
        self.lstm = nn.LSTM(64, 64, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(x))[0]).transpose(1, 2)


def no_causal_mask() -> Training:
    torch.manual_seed(0)
    return _trained(Uncovered(), _text(), 10)


def bidirectional_language_model() -> Training:
    torch.manual_seed(0)
    model = BothWays()
    optimizer = Adam(model.parameters(), lr=2e-3)
    more: dict[str, Any] = {"epochs": 10, "grad_clip": 1.0}
    return Training(model=model, **_text(), criterion=nn.CrossEntropyLoss(), optimizer=optimizer, **more)


class Causal(Uncovered):
    """With its mask."""

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        out = self.blocks(self.embedding(x) + self.position, mask=mask, is_causal=True)
        return self.head(self.norm(out)).transpose(1, 2)


def targets_not_shifted() -> Training:
    """Each token is to predict itself."""
    torch.manual_seed(0)
    return _trained(Causal(), _text(0), 10)
