"""Batches whose samples a loop mixes with one another, as mixup and CutMix do, and what their targets were."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.measure.batches import tensors
from trainingdoctor.observing.terms import share_of_targets

# Batches that are looked at, samples of each, and the largest batch.
BATCHES, LOOKED_AT, LARGEST = 12, 6, 512
# A mixed sample is told from its two within float16.
EXACT = 2e-3
# How far both shares are apart in batches that tell one from the other, and how near the wrong one is.
APART, NEAR = 0.2, 0.1


@dataclass
class Mixed:
    """share: of the other sample, 0 to 1, the median over samples.  only_own: the loss got the loader's targets and no others.

    own: share of the loss that the loader's targets have; None where that is not known.  weighed: it was looked for.
    """

    targets: Tensor
    share: float
    only_own: bool = True
    own: float | None = None
    weighed: bool = False


class Mixing:
    """The first batches of a training, as far as their samples were mixed."""

    def __init__(self) -> None:
        self.batches: list[Mixed] = []
        self.looked = 0

    def add(self, target: Any, known: Any, inputs: Any, given: Any) -> None:
        """A loss in training. target: what it got; known, inputs: of the loader's batch; given: what the model got."""
        if not isinstance(known, Tensor) or known.is_floating_point() or known.ndim != 1:
            return
        newest = self.batches[-1] if self.batches else None
        if newest is None or newest.targets is not known:
            if self.looked >= BATCHES:
                return
            self.looked += 1
            share = mixed_share(next(tensors(given), None), next(tensors(inputs), None))
            if share is None:
                return
            newest = Mixed(known, share)
            self.batches.append(newest)
        newest.only_own = newest.only_own and _is_own(target, known)
        if isinstance(target, Tensor) and target.ndim == 2:
            newest.own, newest.weighed = _own_of_rows(target, known), True

    def weigh(self, loss: Tensor) -> None:
        """backward() is about to run on the loss of the newest batch."""
        newest = self.batches[-1] if self.batches else None
        if newest is not None and not newest.weighed:
            newest.own, newest.weighed = share_of_targets(loss, newest.targets), True

    @property
    def unmixed(self) -> tuple[float, ...]:
        """Shares of the other sample, in batches whose targets stayed their own; () where any batch's were mixed, too."""
        return tuple(b.share for b in self.batches) if all(b.only_own for b in self.batches) else ()

    @property
    def swapped(self) -> tuple[float, ...]:
        """Shares of the other sample in batches whose own targets weigh as much as that one, not as their own; () where any is in order."""
        told = [(b.share, b.own) for b in self.batches if b.own is not None and abs(1 - 2 * b.share) > APART]
        wrong = [share for share, own in told if abs(own - share) + NEAR < abs(own - (1 - share))]
        return tuple(wrong) if len(wrong) == len(told) else ()


def _own_of_rows(target: Tensor, known: Tensor) -> float | None:
    """The share of each sample's own class in rows of shares."""
    if len(target) != len(known) or int(known.max()) >= target.shape[1] or not target.is_floating_point():
        return None
    return float(target.detach().float().cpu().gather(1, known.cpu().long()[:, None]).median())


def _is_own(target: Any, known: Tensor) -> bool:
    """Whether these are a batch's class numbers, or rows with a larger share for their class and one share for all others."""
    if not isinstance(target, Tensor):
        return False
    if target.shape == known.shape:
        return bool((target.to(known) == known).all())
    if target.ndim != 2 or len(target) != len(known) or target.shape[1] < 3 or int(known.max()) >= target.shape[1]:
        return False
    known = known.to(target.device).long()[:, None]
    others = target.masked_fill(torch.zeros_like(target, dtype=torch.bool).scatter_(1, known, True), torch.nan)
    low, high = others.nan_to_num(torch.inf).amin(1), others.nan_to_num(-torch.inf).amax(1)
    return bool(((high - low < EXACT) & (target.gather(1, known)[:, 0] > high)).all())


def mixed_share(mixed: Any, own: Any) -> float | None:
    """How much of another sample of the batch is in each, the median; None where they are not such a mixture."""
    if not isinstance(mixed, Tensor) or not isinstance(own, Tensor) or mixed.shape != own.shape:
        return None
    if not 4 <= len(own) <= LARGEST or not own.is_floating_point():
        return None
    rows, all_own = (t.detach().cpu().flatten(1).float() for t in (mixed, own))
    found = [s for i in range(min(LOOKED_AT, len(rows))) if (s := _share(rows[i], all_own, i)) is not None]
    changed = sum(not torch.equal(rows[i], all_own[i]) for i in range(min(LOOKED_AT, len(rows))))
    return statistics.median(found) if len(found) >= 2 and len(found) == changed else None


def _share(row: Tensor, own: Tensor, index: int) -> float | None:
    """Of one sample: by a common factor, as mixup has it, or by the values that come from the other one, as CutMix has it."""
    change, ways = row - own[index], own - own[index]
    length = ways.pow(2).sum(1).clamp_min(1e-12)
    factor = (ways @ change) / length
    rest = (change - factor[:, None] * ways).pow(2).sum(1) / change.pow(2).sum().clamp_min(1e-12)
    best = int(rest.argmin())
    if rest[best] < EXACT**2 and 0.02 < factor[best] < 0.98:
        return float(factor[best])
    differs = ways != 0
    other = (row == own) & differs
    pasted = (other | (row == own[index])).all(1) & other.any(1)
    shares = other.sum(1)[pasted] / differs.sum(1)[pasted]
    return float(shares[0]) if len(shares) and 0.02 < float(shares[0]) < 0.98 else None
