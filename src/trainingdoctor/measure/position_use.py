"""Which positions of a sequence a prediction depends on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.affine import stir
from trainingdoctor.measure.batches import Batch, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import predicted

# Shorter and longer sequences are not looked at, nor batches of fewer samples.
LEAST_LENGTH, MOST_LENGTH, LEAST_SAMPLES = 8, 1024, 8
# Fewer equal tokens at an end are no padding.
LEAST_PADDING = 4


@dataclass(frozen=True)
class PositionUse:
    """length: positions, padding at the end left out.  used: of them, as far as was looked for: all where any between the first and the last
    moves a prediction, else these two.  only: the one position, where there is one alone."""

    length: int
    used: int
    only: int | None = None


@evidence(cost="probe")
def position_use(model: nn.Module, train_batches: tuple[Batch, ...], *, samples: int = 8) -> PositionUse:
    """Predict sequences whole, and with all positions between the ends, or one of these, taken from another sample, in evaluation mode."""
    batch = train_batches[0].first(samples)
    sequence = _sequence(batch)
    set_mode(model, False)
    with torch.no_grad():
        stir(model)
    whole = predicted(model, batch)
    if whole.ndim != 2 or len(whole) != len(sequence) or not bool(whole.isfinite().all()):
        raise Unavailable("the predictions are not one row for each sequence")
    if bool((whole == whole[:1]).all()):
        raise Unavailable("all predictions are the same")
    length = _length(sequence)
    if _moves(model, batch, sequence, whole, 1, length - 1):
        return PositionUse(length, length)
    used = [i for i in (0, length - 1) if _moves(model, batch, sequence, whole, i, i + 1)]
    return PositionUse(length, len(used), used[0] if len(used) == 1 else None)


def _moves(model: nn.Module, batch: Batch, sequence: Tensor, whole: Tensor, start: int, end: int) -> bool:
    """Whether the predictions are others when these positions are another sample's."""
    other = sequence.clone()
    other[:, start:end] = sequence.roll(1, 0)[:, start:end]
    inputs = mapped(batch.inputs, lambda t: other if t is sequence else t)
    return not torch.equal(predicted(model, Batch(inputs, batch.targets)), whole)


def _sequence(batch: Batch) -> Tensor:
    """The first input of token numbers, (samples, positions), or of vectors, (samples, positions, numbers)."""
    for t in tensors(batch.inputs):
        words = t.ndim == 2 and not t.is_floating_point() and t.dtype is not torch.bool
        if (words or (t.ndim == 3 and t.is_floating_point())) and len(t) >= LEAST_SAMPLES:
            if LEAST_LENGTH <= t.shape[1] <= MOST_LENGTH:
                return t
            break
    raise Unavailable("the inputs are no sequences")


def _length(sequence: Tensor) -> int:
    """Of the shortest row, without what stands at the end of it all alike."""
    same = (sequence == sequence[:, -1:]).flatten(2).all(2) if sequence.ndim == 3 else sequence == sequence[:, -1:]
    ends = same.flip(1).int().cumprod(1).sum(1)
    longest = int(ends.max())
    length = sequence.shape[1] - (longest - 1 if longest >= LEAST_PADDING else 0)
    if length < LEAST_LENGTH:
        raise Unavailable("the sequences are short, but for their padding")
    return length
