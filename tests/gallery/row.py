"""A hostile input as a row of a table: the config, and what must be said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

HEAD = """\
import os, random, signal, sys, time
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
torch.manual_seed(0)
y = torch.arange(24) % 2
x = torch.randn(24, 4) + y[:, None]
pairs = TensorDataset(x, y)
train_loader = DataLoader(pairs, batch_size=8, shuffle=True)
val_loader = DataLoader(TensorDataset(x[:8] + 0.1, y[:8]), batch_size=8)
model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
epochs = 3
"""


@dataclass(frozen=True)
class Row:
    """One input.

    name: what it is, for people.  config: what is added to `head`.  said: a part of the sentence that must be said; a
    report's finding, a reason why something was not examined, or on standard error.  exit: the exit code.  judged: checks
    that must have judged all the same, at least.  options: of `diagnose`.  files: texts beside the config.
    touches: files that the config changes by itself.  slow: takes seconds, or a process of its own; left to the benchmark.
    shell: how bash calls a slow one in its folder; `{command}` is what is called.
    """

    name: str
    config: str
    said: str = ""
    exit: int = 1
    judged: int = 40
    options: tuple[str, ...] = ("--quick",)
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    head: str = HEAD
    touches: tuple[str, ...] = ()
    slow: bool = False
    shell: str = "{command}"
