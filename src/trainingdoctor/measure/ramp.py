"""One ramp of the learning rate: the user's own training, a step at each rate, from low to high."""

import contextlib
import itertools
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch, augmented, device_of, split_batch
from trainingdoctor.measure.calling import set_mode, user_code
from trainingdoctor.measure.channels_last import faster
from trainingdoctor.measure.drawing import is_one_shot
from trainingdoctor.measure.iterating import iterated
from trainingdoctor.measure.restore import restored, seed_everything
from trainingdoctor.measure.steps import backward, clear_gradients, compute_loss

# How far the loss must climb, in sizes of itself (or of what it fell), for the ramp to end: fastai's finder and
# pytorch-lr-finder end at 4 and 5 times the best loss.
CLIMB = 4.0


@dataclass(frozen=True)
class Ramp:
    """What trains. accumulate: batches whose gradients make one step.  augment: `Training.augment_on_device`."""

    model: nn.Module
    criterion: Callable[..., Any]
    optimizers: tuple[Any, ...]
    loader: Iterable[Any]
    augment: Callable[..., Any] | None = None
    accumulate: int = 1
    amp: Any = None
    grad_clip: float | None = None

    def losses(self, rates: Sequence[float], seed: int, tick: Callable[[], object]) -> list[float]:
        """The loss before the first step, and after the step at each rate, until it is not finite or has climbed away.

        rates: of the first group of the first optimizer that has a rate; the other groups keep their ratio to it.
        seed: of batch order, augmentation and dropout.  tick: called after each step.  Leaves nothing behind.
        """
        with restored(self.model, self.criterion, self.optimizers, self.loader, self.augment):
            seed_everything(seed)
            seed_generators(self.loader, seed)
            ratios = rate_ratios(self.optimizers)
            set_mode(self.model, True)
            with contextlib.closing(endless(self.loader, self.augment)) as batches:
                first = next(batches)
                with self._quick(first):
                    return list(self._climbed(itertools.chain([first], batches), rates, ratios, tick))

    def _climbed(
        self, batches: Iterator[Batch], rates: Sequence[float], ratios: list[list[float]], tick: Callable[[], object]
    ) -> Iterator[float]:
        scaler = self._scaler()
        seen: list[float] = []
        for rate in (*rates, None):
            seen.append(self._gradients(batches, scaler))
            yield seen[-1]
            if rate is None or climbed_away(seen):
                return
            set_rates(self.optimizers, ratios, rate)
            self._step(scaler)
            tick()

    def _gradients(self, batches: Iterator[Batch], scaler: torch.amp.GradScaler) -> float:
        """Gradients of `accumulate` batches; their mean loss."""
        clear_gradients(self.optimizers)
        losses = []
        for _ in range(self.accumulate):
            _, loss = compute_loss(self.model, next(batches), self.criterion, self.amp)
            if loss.numel() != 1:
                raise Unavailable(
                    f"the criterion returns {tuple(loss.shape)} numbers, not one: there is nothing to descend"
                )
            losses.append(float(loss.detach()))
            if math.isfinite(losses[-1]):
                backward(scaler.scale(loss / self.accumulate).sum(), self.optimizers)
        return sum(losses) / len(losses)

    def _step(self, scaler: torch.amp.GradScaler) -> None:
        with user_code("optimizer.step()"):
            if self.grad_clip:
                for optimizer in self.optimizers:
                    scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(self.model.parameters(), self.grad_clip)
            for optimizer in self.optimizers:
                scaler.step(optimizer)
            scaler.update()

    def _scaler(self) -> torch.amp.GradScaler:
        """A loss scaler of its own where float16 needs one; it does nothing elsewhere."""
        kind = device_of(self.model).type
        half = self.amp is torch.float16 or (
            bool(self.amp) and not isinstance(self.amp, torch.dtype) and kind == "cuda"
        )
        # torch's own start of 65536 would spend the first steps on overflows.
        return torch.amp.GradScaler(kind, init_scale=1024.0, enabled=half)

    def _quick(self, batch: Batch) -> contextlib.AbstractContextManager[None]:
        # Not where the optimizer has state already: its layout would differ from the kernels'.
        fresh = not any(getattr(o, "state", None) for o in self.optimizers)
        return faster(self.model, batch) if fresh else contextlib.nullcontext()


def climbed_away(losses: Sequence[float]) -> bool:
    """Whether the last loss is not finite, or the last three are above the start by `CLIMB` times the scale of it."""
    if not math.isfinite(losses[-1]):
        return True
    start = median(losses[:5])
    scale = max(abs(start), start - min(losses), spread(losses[:10]))
    return len(losses) > 5 and min(losses[-3:]) > start + CLIMB * scale


def spread(losses: Sequence[float]) -> float:
    """Standard deviation of the noise between successive losses: robust, and blind to a slow trend."""
    steps = [abs(b - a) for a, b in pairwise(losses)]
    # The median of |N(0, 2 s^2)| is 0.6745 sqrt(2) s.
    return median(steps) / (0.6745 * math.sqrt(2)) if steps else 0.0


def endless(loader: Iterable[Any], augment: Callable[..., Any] | None) -> Generator[Batch]:
    """The loader's batches, epoch after epoch. Raises Unavailable for an empty loader and for one-shot iterators."""
    if is_one_shot(loader):
        raise Unavailable("train_loader is its own iterator, and looking would use it up: give the DataLoader itself")
    end = object()
    while True:
        with user_code("iterating train_loader"), iterated(loader) as epoch:
            raw = next(epoch, end)
            if raw is end:
                raise Unavailable("train_loader is empty: it gives no batch")
            while raw is not end:
                yield augmented(split_batch(raw), augment)
                raw = next(epoch, end)


def seed_generators(loader: Any, seed: int) -> None:
    """Seed the generators that a loader and its sampler own, which a global seed does not reach."""
    sampler, batch_sampler = getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)
    for owner in (loader, sampler, batch_sampler, getattr(batch_sampler, "sampler", None)):
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)


def rate_ratios(optimizers: Sequence[Any]) -> list[list[float]]:
    """Each group's rate as a multiple of the reference group's: the first whose rate is above zero.

    Where a warm-up starts at zero the rates before the schedule (`initial_lr`) count. Raises Unavailable for LBFGS,
    and where no group has a rate.
    """
    if any(isinstance(o, torch.optim.LBFGS) for o in optimizers):
        raise Unavailable("LBFGS needs a closure: a step of it is not one forward and backward pass")
    for key in ("lr", "initial_lr"):
        rates = [[_number(group.get(key)) for group in o.param_groups] for o in optimizers]
        reference = next((rate for group in rates for rate in group if rate > 0), None)
        if reference is not None:
            return [[rate / reference for rate in group] for group in rates]
    raise Unavailable("no parameter group has a learning rate above zero: there is nothing to ramp")


def reference_rate(optimizers: Sequence[Any]) -> float:
    """The rate of the reference group as it stands; see `rate_ratios`."""
    for key in ("lr", "initial_lr"):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                if _number(group.get(key)) > 0:
                    return _number(group[key])
    raise Unavailable("no parameter group has a learning rate above zero: there is nothing to ramp")


def _number(rate: Any) -> float:
    return float(rate) if isinstance(rate, int | float | Tensor) else 0.0


def set_rates(optimizers: Sequence[Any], ratios: Sequence[Sequence[float]], rate: float) -> None:
    """Give every group its share of `rate`; a rate that is a tensor stays the same tensor."""
    for optimizer, own in zip(optimizers, ratios, strict=True):
        for group, ratio in zip(optimizer.param_groups, own, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * ratio)
            else:
                group["lr"] = rate * ratio
