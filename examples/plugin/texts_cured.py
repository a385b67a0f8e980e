"""A small text model whose loss leaves the padding out: `trainingdoctor diagnose examples/plugin/texts_cured.py`."""

import torch
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset

PAD, TOKENS, LONGEST = 0, 20, 40


def texts(count: int, seed: int) -> TensorDataset:
    """Texts of 4 to 40 tokens in which mostly t is followed by 3 t + 1, padded to one length; and the next tokens."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, TOKENS, (count, LONGEST + 1), generator=generator)
    surprises = torch.rand(ids.shape, generator=generator) < 0.2
    for t in range(LONGEST):
        ids[:, t + 1] = torch.where(surprises[:, t], ids[:, t + 1], (3 * ids[:, t] + 1) % (TOKENS - 1) + 1)
    lengths = 4 + (36 * torch.rand(count, 1, generator=generator) ** 3).long()
    ids[torch.arange(LONGEST + 1) >= lengths] = PAD
    return TensorDataset(ids[:, :-1], ids[:, 1:])


class NextToken(nn.Module):
    """Embedding, GRU, linear layer; classes in the second dimension, as nn.CrossEntropyLoss wants them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 32)
        self.gru = nn.GRU(32, 64, batch_first=True)
        self.head = nn.Linear(64, TOKENS)

    def forward(self, ids: Tensor) -> Tensor:
        hidden, _ = self.gru(self.embedding(ids))
        return self.head(hidden).mT


torch.manual_seed(0)
model = NextToken()
train_loader = DataLoader(texts(2_000, seed=1), batch_size=32, shuffle=True)
val_loader = DataLoader(texts(400, seed=2), batch_size=100)
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
optimizer = optim.AdamW(model.parameters(), lr=3e-3)
epochs = 10
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
