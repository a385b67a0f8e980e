"""Several runs on one device at a time: small nets leave most of a card idle."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import torch

from trainingdoctor.reference.train import EpochMetrics, Run, Say


def side_by_side(
    runs: Sequence[Run], say: Say, on_epoch: Callable[[Run, EpochMetrics], None] = lambda *_: None
) -> list[float]:
    """Train runs that are warmed up, all of them, to their ends, each on a stream of its own where there are streams.

    Gives each one's wall seconds, which are not those of a run that has the device for itself.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()

    def train(run: Run) -> float:
        started, cuda = time.perf_counter(), run.device.type == "cuda"
        with torch.cuda.stream(torch.cuda.Stream()) if cuda else nullcontext():
            for metrics in run.epochs(say):
                on_epoch(run, metrics)
        return time.perf_counter() - started

    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(train, runs))
