"""What watching a loop costs: ResNet-20 steps with and without the hooks, by turns in one process. python benchmarks/observing.py"""

from __future__ import annotations

import time
from statistics import median

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor.observing.cuda import on_cpu
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.reference.resnet import resnet20

ROUNDS, STEPS, BATCH = 10, 8, 64


def main() -> None:
    """Print the medians and their ratio."""
    model = resnet20()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    data = TensorDataset(torch.randn(STEPS * BATCH, 3, 32, 32), torch.arange(STEPS * BATCH) % 10)
    loader = DataLoader(data, BATCH)
    bare: list[float] = []
    watched: list[float] = []
    steps(model, optimizer, loader)
    for _ in range(ROUNDS):
        bare.append(steps(model, optimizer, loader))
        with on_cpu(), observed(Recorder(stops=False)):
            watched.append(steps(model, optimizer, loader))
    print(f"a step of {BATCH}: {median(bare) * 1e3:.1f} ms bare, {median(watched) * 1e3:.1f} ms watched")
    print(f"ratio of the medians {median(watched) / median(bare):.3f}, {ROUNDS} rounds by turns")


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader) -> float:
    """Median CPU seconds of a step: a busy machine does not count, nor what is done once at the first steps."""
    criterion = nn.CrossEntropyLoss()
    seconds: list[float] = []
    for images, labels in loader:
        started = time.process_time()
        optimizer.zero_grad()
        loss = criterion(model(images.to("cuda" if torch.cuda.is_available() else "cpu")), labels)
        loss.backward()
        optimizer.step()
        seconds.append(time.process_time() - started)
    return median(seconds[2:])


if __name__ == "__main__":
    main()
