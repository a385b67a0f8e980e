"""The random state with which each pass through a loader begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch.utils.data import RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from trainingdoctor.observing.passes import Pass

SHUFFLING = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


@dataclass(frozen=True)
class Start:
    """number: of the loader.  data: the identity of its data set.  state: None where it does not shuffle.  built: optimizers made before.

    begun: None where nothing was drawn.
    """

    number: int
    data: int
    state: int | None
    built: int
    begun: Pass | None = None

    def repeats(self, earlier: Start) -> bool:
        """Whether it draws what an earlier one drew, for the same optimizer: another seed or fold begins with one of its own."""
        drew = earlier.begun is not None and earlier.begun.batches > 0
        alike = (self.data, self.state, self.built) == (earlier.data, earlier.state, earlier.built)
        return drew and self.state is not None and alike


def start_of(number: int, loader: Any, built: int) -> Start:
    """A pass through a loader is about to begin."""
    return Start(number, id(getattr(loader, "dataset", None)), random_state(loader), built)


def random_state(loader: Any) -> int | None:
    """Of the generator that shuffles a loader, as a hash; None where none of torch's samplers does."""
    sampler = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    if not isinstance(sampler, SHUFFLING):
        return None
    generator = sampler.generator or torch.default_generator
    return hash(generator.get_state().numpy().tobytes())


def repeated(starts: list[Start], kinds: Mapping[int, str]) -> int:
    """How many passes that train begin as the one before."""
    training = [start for start in starts if kinds.get(start.number) == "training"]
    return sum(later.repeats(earlier) for earlier, later in pairwise(training))
