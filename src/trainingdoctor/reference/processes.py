"""One run in several processes: each takes its share of every batch, and gradients are averaged (DistributedDataParallel)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainingdoctor.errors import UserError
from trainingdoctor.reference.augmentation import Draws


@dataclass(frozen=True)
class Processes:
    """rank: number of this one.  world: how many there are; 1 without torchrun."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one evaluates, prints and writes."""
        return self.rank == 0

    def model(self, model: nn.Module, device: torch.device) -> nn.Module:
        """What the training step calls: the model, wrapped where there are several processes."""
        if self.world == 1:
            return model
        return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)

    def share(self, draws: Draws) -> Draws:
        """This process's part of a batch."""
        return draws if self.world == 1 else draws.every(self.world, self.rank)

    def total(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def first_ones(self, value: float, device: torch.device) -> float:
        """The first process's value, in all of them."""
        if self.world == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(held, 0)
        return float(held)


def given() -> Processes:
    """As torchrun says in the environment."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def own_gpu() -> int | None:
    """The GPU that torchrun means this process to use; None without torchrun or GPUs."""
    local = os.environ.get("LOCAL_RANK")
    return None if local is None or not torch.cuda.is_available() else int(local)


@contextmanager
def joined(device: str, batch_size: int) -> Iterator[Processes]:
    """Be one of the processes for the block. Raises UserError for batches that cannot be shared evenly."""
    processes = given()
    if processes.world == 1:
        yield processes
        return
    if batch_size % processes.world:
        raise UserError(f"batches of {batch_size} cannot be shared by {processes.world} processes: choose --batch-size")
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield processes
    finally:
        dist.destroy_process_group()
