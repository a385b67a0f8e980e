"""The columns of a table in training and in evaluation: their scales, and the numbers of their categories."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, tensors

LEAST_ROWS = 32
# A category of which so many are to be expected in the evaluation, and none is there, is missing: one in 3,000 by chance.
EXPECTED = 8.0
# More numbers are words, or identities.
MOST_CODES = 100


@dataclass(frozen=True)
class Scale:
    """A column of numbers. moved: distance of the means in deviations of the training's.  ratio: of the deviations, evaluation over training."""

    moved: float
    ratio: float


@dataclass(frozen=True)
class Codes:
    """A column of categories whose highest numbers the evaluation lacks. known, missing: of those that are frequent in training."""

    known: int
    missing: int

    @property
    def chance(self) -> float:
        """That categories which are missing for another reason have just the highest numbers."""
        return 1 / math.comb(self.known, self.missing)


@dataclass(frozen=True)
class Columns:
    """rows, val_rows: that were compared.  scales: of columns that vary in both.  codes: of those whose highest numbers are missing."""

    rows: int
    val_rows: int
    scales: tuple[Scale, ...]
    codes: tuple[Codes, ...]


@evidence(cost="probe")
def columns(train_batches: tuple[Batch, ...], val_batches: tuple[Batch, ...]) -> Columns:
    """Compare the drawn rows. Unavailable where the inputs are no tables (N, F), or few rows were drawn."""
    pairs = list(_tables(train_batches, val_batches))
    if not pairs:
        raise Unavailable("the inputs are no tables of training and evaluation with the same columns")
    rows, val_rows = (min(len(p[i]) for p in pairs) for i in (0, 1))
    if min(rows, val_rows) < LEAST_ROWS:
        raise Unavailable(f"under {LEAST_ROWS} rows were drawn")
    numbers = [(t.double(), v.double()) for t, v in pairs if t.is_floating_point()]
    codes = [(t.T.tolist(), v.T.tolist()) for t, v in pairs if t.shape[1] <= MOST_CODES]
    return Columns(
        rows,
        val_rows,
        tuple(s for t, v in numbers for s in _scales(t, v)),
        tuple(c for t, v in codes for a, b in zip(t, v, strict=True) if (c := _codes(a, b)) is not None),
    )


def _tables(train: tuple[Batch, ...], val: tuple[Batch, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs at the same place, (rows, columns) each; a single column may come without its dimension."""
    drawn, evaluated = ([list(tensors(b.inputs)) for b in batches] for batches in (train, val))
    if len({len(found) for found in drawn + evaluated}) != 1:
        return
    for place in range(len(drawn[0])):
        parts = [[found[place] for found in side] for side in (drawn, evaluated)]
        shapes = {(t.ndim, *t.shape[1:], t.dtype) for side in parts for t in side}
        if len(shapes) == 1 and all(t.ndim in (1, 2) and t.layout is torch.strided for side in parts for t in side):
            train_rows, val_rows = (torch.cat(side).cpu() for side in parts)
            yield train_rows.reshape(len(train_rows), -1), val_rows.reshape(len(val_rows), -1)


def _scales(train: Tensor, val: Tensor) -> Iterator[Scale]:
    means, deviations = (train.mean(0), val.mean(0)), (train.std(0), val.std(0))
    for a, b, s, r in zip(*(x.tolist() for x in (*means, *deviations)), strict=True):
        if s > 0 and r > 0 and math.isfinite(s + r):
            yield Scale(abs(a - b) / s, r / s)


def _codes(train: list[float], val: list[float]) -> Codes | None:
    """Where all numbers from some frequent one on are missing, and no frequent one below; rare ones may be missing by chance."""
    counts, there = Counter(train), set(val)
    if not 3 <= len(counts) <= MOST_CODES or any(c != int(c) for c in (*counts, *there) if math.isfinite(c)):
        return None
    often = sorted(c for c in counts if counts[c] * len(val) / len(train) >= EXPECTED)
    missing = [c for c in often if c not in there]
    if not missing or missing != often[-len(missing) :] or max(there) >= missing[0]:
        return None
    return Codes(len(often), len(missing))
