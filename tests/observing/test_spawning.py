"""Scripts that start a process for each GPU: the first one's work is done here."""

import os
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from trainingdoctor.observing.cuda import on_cpu
from trainingdoctor.observing.loops import trains
from trainingdoctor.observing.ranks import Ranks
from trainingdoctor.observing.spawning import first_rank_alone

calls: list[Any] = []


def work(rank: int, world: int, name: str) -> None:
    """What the example scripts of DistributedDataParallel do at their start."""
    distributed.init_process_group("nccl", init_method="tcp://127.0.0.1:1", world_size=world, rank=rank)
    model = DistributedDataParallel(nn.Linear(2, 2).cuda(rank), device_ids=[rank], output_device=rank)
    model(torch.ones(1, 2).cuda(rank)).sum().backward()
    distributed.barrier(device_ids=[rank])
    calls.append((os.getpid(), rank, world, name, distributed.get_world_size()))
    distributed.destroy_process_group()


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
@pytest.mark.skipif(not distributed.is_gloo_available(), reason="needs gloo")
def test_the_first_of_four_runs_alone_in_this_process() -> None:
    calls.clear()
    ranks, before = Ranks(), (multiprocessing.spawn, distributed.init_process_group)
    with on_cpu(), first_rank_alone(ranks):
        gpus = torch.cuda.device_count()
        multiprocessing.spawn(work, nprocs=4, args=(4, "all"))
        multiprocessing.spawn(work, (gpus, "joined"), nprocs=gpus, join=False).join()
    assert calls == [(os.getpid(), 0, 4, "all", 1), (os.getpid(), 0, 1, "joined", 1)]
    assert ranks.spawned == 1
    assert (multiprocessing.spawn, distributed.init_process_group) == before
    assert torch.cuda.device_count() == 0


def train(rank: int) -> None:
    """As a worker of Hogwild does."""
    step(rank)


def step(rank: int) -> None:
    """Stands for an epoch."""
    weight = torch.ones(1, requires_grad=True)
    (weight * 2).sum().backward()
    calls.append((os.getpid(), rank))
    if rank == 0:
        raise SystemExit(0)


def produce(queue: Any) -> None:
    """What is no training stays a process of its own."""
    queue.put(os.getpid())


def test_the_first_process_that_trains_runs_here_and_others_as_ever() -> None:
    calls.clear()
    ranks, before = Ranks(), multiprocessing.Process.start
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with first_rank_alone(ranks):
        processes = [context.Process(target=train, args=(rank,)) for rank in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        other = context.Process(target=produce, args=(queue,))
        other.start()
        assert queue.get() != os.getpid()
        other.join()
    assert calls == [(os.getpid(), 0)]
    assert ranks.seen({}) is None
    assert [(p.exitcode, p.is_alive()) for p in processes] == [(0, False)] * 3
    assert multiprocessing.Process.start is before


class Trainer:
    """A loop in a method."""

    def fit(self) -> None:
        """Train."""
        step(1)


def indirect() -> None:
    """Through a class."""
    Trainer().fit()


def test_what_trains_is_told_from_its_source() -> None:
    assert [trains(f) for f in (train, indirect, Trainer().fit)] == [True] * 3
    assert [trains(f) for f in (produce, None, print, Trainer)] == [False] * 4
