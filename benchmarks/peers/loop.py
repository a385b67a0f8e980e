"""An ordinary training loop that tools are put into, and the log that it writes for those that read logs.

A few batches stand for the planned epochs: the scheduler is stepped between them as often as the plan says, so that
the rate passes through its whole schedule. The modes of the layers are left as they are handed over.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainingdoctor import Training

# Halves what a training costs; the other numbers of its recipe stay.
LOG_SAMPLES = 64
COLUMNS = ("step", "loss", "eval_loss", "lr", "grad_norm", "update_ratio")
EVALUATIONS, EVALUATED = 6, 2


class Run:
    """The batches of a shortened training (or their first `most` samples), and what stopped it."""

    def __init__(self, training: Training, steps: int, most: int | None = None) -> None:
        self.training, self.steps, self.most = training, steps, most
        self.model, self.criterion = training.model, training.criterion
        several = training.optimizer if isinstance(training.optimizer, (list, tuple)) else [training.optimizer]
        self.optimizers, self.optimizer = several, several[0]
        self.stopped: str | None = None

    def batches(self) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Step, inputs and targets; the scheduler moves on between them."""
        loader: Iterator[Any] = iter(())
        done = 0
        for step in range(self.steps):
            try:
                inputs, targets = next(loader)
            except StopIteration:
                loader = iter(self.training.train_loader)
                inputs, targets = next(loader)
            yield step, inputs[: self.most], targets[: self.most]
            done = self._schedule(step, done)

    def _schedule(self, step: int, done: int) -> int:
        scheduler = self.training.scheduler
        if scheduler is None:
            return done
        plan = self.training.epochs
        if self.training.scheduler_interval == "step":
            plan *= len(self.training.train_loader)
        due = round((step + 1) / self.steps * plan)
        for _ in range(due - done):
            scheduler.step()
        return due

    @contextmanager
    def until_it_stops(self) -> Iterator[None]:
        """The loop goes in here: what the training itself raises ends the loop, not the tool."""
        try:
            yield
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            self.stopped = f"{type(error).__name__}: {error}"

    def train_step(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Forward, backward, step: where a tool asks for nothing in between."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss = self.criterion(self.model(inputs), targets)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss


def batch(training: Training, most: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The first batch, or its first samples."""
    inputs, targets = next(iter(training.train_loader))
    return inputs[:most], targets[:most]


def record(training: Training, steps: int, path: Path) -> str | None:
    """Trains, writes the CSV that the log readers read, and returns what stopped the training."""
    run = Run(training, steps, most=LOG_SAMPLES)
    before = _weights(run.model)
    with path.open("w", newline="") as file:
        log = csv.DictWriter(file, COLUMNS)
        log.writeheader()
        with run.until_it_stops():
            for step, inputs, targets in run.batches():
                rate = run.optimizer.param_groups[0]["lr"]
                loss = run.train_step(inputs, targets)
                after = _weights(run.model)
                due = (step + 1) % max(1, steps // EVALUATIONS) == 0
                log.writerow(
                    {
                        "step": step,
                        "loss": loss.item(),
                        "eval_loss": _evaluated(run) if due else "",
                        "lr": rate,
                        "grad_norm": _norm(p.grad for p in run.model.parameters() if p.grad is not None),
                        "update_ratio": _norm(b - a for a, b in zip(before, after, strict=True)) / _norm(before),
                    }
                )
                before = after
    return run.stopped


def _weights(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def _norm(tensors: Any) -> float:
    return float(sum(float(t.norm()) ** 2 for t in tensors) ** 0.5) or 1e-30


@torch.no_grad()
def _evaluated(run: Run) -> float:
    """The loss on some batches of the evaluation data; every layer gets its mode back."""
    modes = {module: module.training for module in run.model.modules()}
    run.model.eval()
    batches = list(islice(run.training.val_loader, EVALUATED))
    loss = sum(run.criterion(run.model(inputs), targets).item() for inputs, targets in batches) / len(batches)
    for module, mode in modes.items():
        module.training = mode
    return loss
