"""Passes through DataLoaders: counted, told apart, and ended early."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from trainingdoctor.measure.batches import tensors
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.schedule import steps_per_epoch
from trainingdoctor.observing.accuracy import Count
from trainingdoctor.observing.epochs import EpochLoop
from trainingdoctor.observing.limits import Clock, Limits
from trainingdoctor.observing.seen import PassSeen

# Batches of a slow training to let go in later epochs, and in the first.
LEAST = (4, 10)
WITHOUT_STEP = 44
# Batches that a loop may fetch before it uses one (Lightning and Accelerate: one).
AHEAD = 3
# Samples of a first batch that are kept, to tell whether a later pass begins with the same.
KEPT = 4
# Orders, of which one that comes twice did not do so by chance.
SELDOM = 10_000


@dataclass(eq=False)
class Pass:
    """One pass under way. steps, backwards: since it began.  kept: most graphs of earlier batches that were alive at once.

    epoch: its number among the passes that train, 0 before it does.  planned: the loop over epochs around it.  left: another pass
    through its loader was begun before it had ended.  losses: that the criterion gave, each one number.  asked: how often for a batch,
    the one that was one too many included.  ahead: batches that were there already when the first one was used.  aside: another
    thread asks for the batches.  iterator: of the loop, None once it is let go.  first: some samples of its first batch.  stepped: optimizers that did.
    """

    loader: Any
    number: int
    where: str
    clock: Clock = field(default_factory=Clock)
    batches: int = 0
    asked: int = 0
    ahead: int | None = None
    aside: bool = False
    steps: int = 0
    backwards: int = 0
    train_mode: int = 0
    eval_mode: int = 0
    with_gradient: int = 0
    kept: int = 0
    epoch: int = 0
    planned: EpochLoop | None = None
    empty: bool = False
    left: bool = False
    ended: bool = False
    losses: list[Tensor] = field(default_factory=list)
    raws: deque[Any] = field(default_factory=lambda: deque(maxlen=AHEAD))
    known: str | None = None
    count: Count = field(default_factory=Count)
    iterator: Callable[[], object] = lambda: None
    first: tuple[Tensor, ...] | None = None
    stepped: set[int] = field(default_factory=set)

    def is_like(self, other: Pass) -> bool:
        """Whether both began with the same samples, bit for bit."""
        mine, others = self.first or (), other.first or ()
        same = [
            a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(mine, others, strict=False)
        ]
        return bool(same) and len(mine) == len(others) and all(same) and self._tells_order()

    def _tells_order(self) -> bool:
        """Whether these samples would hardly ever come first twice by chance."""
        size, kept = length(getattr(self.loader, "dataset", None)), min(map(len, self.first or ((),)))
        return size is not None and math.perm(size, min(kept, size)) >= SELDOM

    def raw_of(self, inputs: Any) -> Any:
        """The batch that these inputs come from: the last one, or one before where the loop fetches ahead.

        Known by its tensors, else by how many were there already at the first use; None where another thread fetches them.
        """
        given, raws = {t.data_ptr() for t in tensors(inputs)}, list(self.raws)
        mine = (raw for raw in reversed(raws) if any(t.data_ptr() in given for t in tensors(raw)))
        return next(mine, None if self.aside else self._by_count(raws))

    def _by_count(self, raws: list[Any]) -> Any:
        waiting = self.ahead or 0
        if self.asked > self.batches:
            # At the end those that wait become fewer; of several nobody says which is used now.
            waiting = 0 if waiting < 2 else len(raws)
        return raws[-1 - waiting] if waiting < len(raws) else None

    def used(self) -> None:
        """A model is called on a batch."""
        if self.ahead is None:
            self.ahead = self.asked - 1 if self.asked <= AHEAD else 0

    @cached_property
    def length(self) -> int | None:
        """Batches of the whole pass, asked once: it is compared at each batch. None where the loader does not say."""
        return steps_per_epoch(self.loader)

    @property
    def kind(self) -> str:
        """training, evaluation or other, as far as can be said by now; a loader keeps what it was once seen to be for."""
        if self.backwards or self.steps:
            return "training"
        if self.known:
            return self.known
        return "evaluation" if self.train_mode + self.eval_mode else "other"

    def seen(self) -> PassSeen:
        """The record."""
        return PassSeen(
            kind=self.kind,
            loader=self.number,
            batches=self.batches,
            train_mode=self.train_mode,
            eval_mode=self.eval_mode,
            with_gradient=self.with_gradient,
            graphs_kept=self.kept,
            where=self.where,
            left=self.left,
        )

    def over(self, limits: Limits) -> bool:
        """Whether the next batch is one too many. Passes in which no model runs, such as for statistics, have time only."""
        if self.empty:
            return True
        if self.kind == "training":
            # Accumulated gradients: a few steps must be seen, however many batches that takes.
            done = self.steps if self.steps else self.backwards / 4
            # Before the first step it may be that none comes at all, or after many batches.
            least = LEAST[self.epoch == 1] if self.steps else WITHOUT_STEP
            slow = self.clock.seconds > limits.training_seconds(self.epoch) and self.batches >= least
            return done >= limits.training_steps(self.epoch) or slow
        if self.kind == "evaluation":
            return self.batches >= limits.evaluation or self.clock.seconds > limits.seconds
        return self.clock.seconds > 2 * limits.seconds


def draws_at_random(loader: Any) -> bool:
    """Whether the order of its samples is one of torch's random ones."""
    return isinstance(getattr(loader, "sampler", None), RandomSampler | SubsetRandomSampler | WeightedRandomSampler)


class Watched:
    """The iterator of a pass: gives what the loader's own iterator gives, until the pass has gone on long enough."""

    def __init__(self, inner: Iterator[Any], current: Pass, recorder: Any) -> None:
        self._inner, self._pass, self._recorder = inner, current, recorder
        self._thread = threading.get_ident()

    def __iter__(self) -> Watched:
        return self

    def __len__(self) -> int:
        return len(self._inner)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __next__(self) -> Any:
        self._pass.asked += 1
        self._pass.aside = self._pass.aside or threading.get_ident() != self._thread
        if self._recorder.next_batch(self._pass):
            self._recorder.end_pass(self._pass)
            raise StopIteration
        try:
            raw = next(self._inner)
        except StopIteration:
            self._recorder.end_pass(self._pass)
            raise
        self._pass.batches += 1
        if self._pass.batches == 1:
            self._pass.first = tuple(
                t.detach()[:KEPT].cpu().clone() for t in tensors(raw) if t.ndim and not t.is_sparse
            )
        self._pass.raws.append(raw)
        return raw
