"""Scripts that start a process for each GPU: the first one's work is done here."""

import os
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from trainingdoctor.observing.cuda import on_cpu
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
