"""One process of several, as torchrun starts them: which one this is, and what is seen of the others' work."""

from __future__ import annotations

import os
from typing import Any

from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data.distributed import DistributedSampler

from trainingdoctor.observing.passes import Pass
from trainingdoctor.observing.seen import DistributedSeen


def rank_and_world() -> tuple[int, int]:
    """From torchrun's environment; (0, 1) without."""
    return int(os.environ.get("RANK", "0") or 0), int(os.environ.get("WORLD_SIZE", "1") or 1)


def unwrapped(model: nn.Module) -> nn.Module:
    """The module that a wrapper of DDP trains."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def alone() -> None:
    """Leave the process group: what is measured afterwards must not wait for the other processes."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


class Ranks:
    """What only several processes can do wrong. through, bypassed: training forwards through the wrapper, and past it.

    spawned: processes that the script wanted to start; 0 where it started none.
    """

    def __init__(self) -> None:
        self.wrappers: list[DistributedDataParallel] = []
        self.spawned = 0
        self.through = self.bypassed = 0
        self.epochs: dict[int, list[int]] = {}
        self.shuffles: dict[int, bool] = {}

    def on_forward(self, model: nn.Module, training: bool) -> None:
        """A module that no other called is about to run."""
        if isinstance(model, DistributedDataParallel):
            self.through += training
        elif training and any(model is w.module for w in self.wrappers):
            self.bypassed += 1

    def on_pass(self, begun: Pass) -> None:
        """A loader is iterated: the epoch that its sampler shuffles by."""
        sampler: Any = getattr(begun.loader, "sampler", None)
        if isinstance(sampler, DistributedSampler):
            self.epochs.setdefault(begun.number, []).append(sampler.epoch)
            self.shuffles[begun.number] = bool(sampler.shuffle)

    def seen(self, kinds: dict[int, str]) -> DistributedSeen | None:
        """The record; None where there is one process."""
        world = max(rank_and_world()[1], self.spawned)
        if world < 2 and not self.wrappers:
            return None
        training = [n for n, kind in kinds.items() if kind == "training" and self.shuffles.get(n)]
        return DistributedSeen(
            world=world,
            wrapped=bool(self.wrappers),
            through=self.through,
            bypassed=self.bypassed,
            sampler_epochs=tuple(tuple(self.epochs[n]) for n in training),
        )
