"""The batches of short trainings: the drawn ones, cut."""

from typing import Any

import torch

from trainingdoctor.errors import Reason, Unavailable
from trainingdoctor.measure.batches import Batch, tensors
from trainingdoctor.measure.schedule import steps_per_epoch

SAMPLES = 32
# Of a training whose batch is all there is: so many samples have little noise, and cost little.
WHOLE = 256


def small_batches(batches: tuple[Batch, ...], samples: int = SAMPLES) -> tuple[Batch, ...]:
    """The drawn batches cut into batches of at most `samples`; incomplete ones are left out.

    Raises Unavailable where they hold no tensor.
    """
    if not any(batch.size for batch in batches):
        raise Unavailable("the batches hold no tensor", Reason.FAILED)
    pieces: list[Batch] = []
    for batch in (b for b in batches if b.size):
        size = min(samples, batch.size)
        for start in range(0, batch.size - size + 1, size):
            pieces.append(batch.rows(start, size))
    return tuple(pieces)


def is_whole(batches: tuple[Batch, ...], train_loader: Any) -> bool:
    """Whether each batch is the whole training set: the loader has one, or a loop without a loader gives the same again and again."""
    if train_loader is not None:
        return steps_per_epoch(train_loader) == 1
    first = list(tensors(batches[0].inputs))
    return len(batches) > 1 and all(_same(first, list(tensors(b.inputs))) for b in batches[1:])


def _same(ones: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return len(ones) == len(others) and all(torch.equal(a, b) for a, b in zip(ones, others, strict=True))
