"""What counted padding costs: the same small text model trained with its padding left out of the loss, and counted.

English text of Python's own manual (pydoc_data.topics), lines of 20 to 72 characters, next-character accuracy on 800
held-out lines without their padding. `python benchmarks/padding.py` prints one row per optimizer and width, mean and
deviation over seeds (padding.txt); some ten minutes on one core.
"""

import argparse
from math import isfinite
from pydoc_data.topics import topics
from statistics import mean, stdev

import torch
from torch import Tensor, nn, optim
from torch.nn.functional import cross_entropy, pad, relu

TEXT = [" ".join(line.split()) for topic in topics.values() for line in topic.splitlines()]
LINES = [line for line in TEXT if 20 <= len(line) <= 72]
IDS = {character: i + 1 for i, character in enumerate(sorted(set("".join(LINES))))}
PAD = 0
# With the padding left out: the best of 0.03, 0.1, 0.3, 1.0 (diverges) and of 0.001, 0.003, 0.01, and one notch lower.
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "AdamW": lambda p: optim.AdamW(p, lr=0.003),
}


def rows(lines: list[str], width: int) -> Tensor:
    ids = torch.full((len(lines), width + 1), PAD)
    for row, line in zip(ids, lines, strict=True):
        row[: len(line)] = torch.tensor([IDS[c] for c in line])
    return ids


class CausalConvolutions(nn.Module):
    """Predicts the next character from the fifteen before it."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(IDS) + 1, channels)
        self.layers = nn.ModuleList(nn.Conv1d(channels, channels, 3, dilation=d) for d in (1, 2, 4))
        self.head = nn.Linear(channels, len(IDS) + 1)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids).mT
        for layer in self.layers:
            x = x + relu(layer(pad(x, (2 * layer.dilation[0], 0))))
        return self.head(x.mT)


def accuracy(optimizer: str, width: int, counted: bool, seed: int, steps: int) -> float:
    """Percent of held-out characters predicted after training; NaN when the training diverged."""
    torch.manual_seed(seed)
    model = CausalConvolutions()
    order = torch.randperm(len(LINES), generator=torch.Generator().manual_seed(0)).tolist()
    test, train = rows([LINES[i] for i in order[:800]], 72), rows([LINES[i] for i in order[800:]], width)
    steps_taker = OPTIMIZERS[optimizer](model.parameters())
    schedule = optim.lr_scheduler.CosineAnnealingLR(steps_taker, steps)
    for _ in range(steps):
        batch = train[torch.randint(len(train), (32,))]
        logits, wanted = model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten()
        loss = cross_entropy(logits, wanted, ignore_index=-100 if counted else PAD)
        steps_taker.zero_grad()
        loss.backward()
        steps_taker.step()
        schedule.step()
    with torch.no_grad():
        right = model(test[:, :-1]).argmax(-1) == test[:, 1:]
    return float(right[test[:, 1:] != PAD].float().mean()) * 100 if loss.isfinite() else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for optimizer in OPTIMIZERS:
        for width, counted in ((72, False), (72, True), (110, True), (277, True)):
            found = [accuracy(optimizer, width, counted, seed, options.steps) for seed in range(options.seeds)]
            share = 1 - mean(min(len(line) + 1, width) for line in LINES) / width if counted else 0.0
            print(f"{optimizer:6} {share:4.0%} of what is counted is padding: {told(found)}", flush=True)


def told(accuracies: list[float]) -> str:
    """Mean and deviation of the trainings that ended, and how many did not."""
    ended = [a for a in accuracies if isfinite(a)]
    lost = f"{len(accuracies) - len(ended)} of {len(accuracies)} diverged"
    if len(ended) < len(accuracies):
        return f"{lost}, the others {', '.join(f'{a:.1f}' for a in ended) or 'none'}"
    return f"{mean(ended):.1f} ± {stdev(ended) if len(ended) > 1 else 0.0:.1f} %"


if __name__ == "__main__":
    main()
