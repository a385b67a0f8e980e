"""Whether a model of token sequences takes padding for content."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import predicted

# Shorter sequences, and fewer equal tokens at their end, are not taken for padded ones.
LEAST_LENGTH, LEAST_PADDING = 8, 4


@dataclass(frozen=True)
class PaddingUse:
    """padding: the token at the ends of sequences.  share: of all tokens.  compared: samples.

    change: how far a prediction moves when its padding is cut off, relative to how far samples' predictions are apart; the
    median over `compared` samples.
    """

    padding: int
    share: float
    compared: int
    change: float


@evidence(cost="probe")
def padding_use(model: nn.Module, train_batches: tuple[Batch, ...], *, samples: int = 16) -> PaddingUse:
    """Predict samples in their padded batch and alone, without the padding (8 positions are kept at least), in eval mode."""
    batch = train_batches[0]
    tokens, padding, ends = _padded(batch)
    set_mode(model, False)
    whole = predicted(model, batch)
    if whole.ndim != 2 or len(whole) != len(tokens):
        raise Unavailable("the predictions are not one row for each sequence")
    if not bool(whole.isfinite().all()):
        raise Unavailable("some predictions are NaN or infinite")
    apart = float(whole.std(0).max())
    if not apart > 0:
        raise Unavailable("all predictions are the same")
    rows = [i for i, end in enumerate(ends.tolist()) if end >= LEAST_PADDING][:samples]
    kept = [max(tokens.shape[1] - int(ends[i]), LEAST_LENGTH) for i in rows]
    try:
        alone = [predicted(model, _cut(batch, tokens, i, length)) for i, length in zip(rows, kept, strict=True)]
    except UserCodeError as error:
        raise Unavailable("the model takes sequences of one length only") from error
    moved = torch.stack([(whole[i] - one[0]).abs().max() for i, one in zip(rows, alone, strict=True)])
    share = float((ends * (ends >= LEAST_PADDING)).sum() / tokens.numel())
    return PaddingUse(padding, share, len(rows), float(moved.median()) / apart)


def _padded(batch: Batch) -> tuple[Tensor, int, Tensor]:
    """The tokens (samples, positions), the padding token, and the length of its run at the end of each row."""
    for tokens in tensors(batch.inputs):
        if tokens.ndim != 2 or tokens.is_floating_point() or tokens.dtype is torch.bool or len(tokens) < 8:
            continue
        if tokens.shape[1] < LEAST_LENGTH or int(tokens.max()) <= 1:
            continue
        padding = Counter(tokens[:, -1].tolist()).most_common(1)[0][0]
        ends = (tokens == padding).flip(1).int().cumprod(1).sum(1)
        if int((ends >= LEAST_PADDING).sum()) >= 4 and len(ends.unique()) >= 3:
            return tokens, int(padding), ends
    raise Unavailable("the inputs are no token sequences with padding at their end")


def _cut(batch: Batch, tokens: Tensor, row: int, length: int) -> Batch:
    """One sample, and what has its tokens' shape, such as a mask, without its end."""
    one = batch.rows(row, 1)
    shape = (1, tokens.shape[1])
    inputs: Any = mapped(one.inputs, lambda t: t[:, :length] if t.shape[:2] == shape else t)
    return Batch(inputs, one.targets)
