"""Which targets the loss looks at, and which inputs are padding. Measured, with no opinion.

torch is imported where it is used: listing the checks stays quick, and `trainingdoctor env` works with a broken torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from trainingdoctor import Unavailable, evidence

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainingdoctor.measure.batches import Batch


@dataclass(frozen=True)
class LossMask:
    """Positions of the targets (tokens, pixels) in the drawn samples.

    counted: positions on which the loss depends.  blind: samples without any such position.  padding: positions whose
    input is padding, None where the inputs are not token ids.  counted_padding: positions that are both.
    """

    samples: int
    positions: int
    counted: int
    blind: int
    padding: int | None
    counted_padding: int


@evidence(cost="probe")
def loss_mask(
    model: nn.Module, train_batches: tuple[Batch, ...], criterion: Callable[..., Any], *, samples: int = 16
) -> LossMask:
    """Take the gradient of the loss in the model's output: where it is zero, the loss does not look.

    So it does not matter whether the mask is an ignore_index, a factor, or a line in the user's own loss function.
    """
    batches = tuple(_first(train_batches, samples))
    counted = [_counted(model, batch, criterion) for batch in batches]
    padding = _padding([_token_ids(batch) for batch in batches])
    return LossMask(
        samples=sum(len(c) for c in counted),
        positions=sum(c.numel() for c in counted),
        counted=sum(int(c.sum()) for c in counted),
        blind=sum(int((~c.flatten(1).any(1)).sum()) for c in counted),
        padding=None if padding is None else sum(int(p.sum()) for p in padding),
        counted_padding=sum(int((c & p).sum()) for c, p in zip(counted, padding or (), strict=False)),
    )


def _first(batches: tuple[Batch, ...], samples: int) -> Iterator[Batch]:
    """The first samples, as they come: batches of texts are padded to different lengths."""
    for batch in batches:
        if samples > 0:
            yield batch.first(samples)
        samples -= batch.size


def _counted(model: nn.Module, batch: Batch, criterion: Callable[..., Any]) -> Tensor:
    """For each target, whether the loss depends on the output at its position."""
    import torch

    from trainingdoctor.measure.batches import forward
    from trainingdoctor.measure.prediction import loss_of, prediction

    targets = batch.targets
    if not isinstance(targets, torch.Tensor) or targets.is_floating_point() or targets.ndim < 2:
        raise Unavailable("the targets are not class indices of positions, such as tokens or pixels")
    model.train()
    output = forward(model, batch)
    predicted = prediction(output)
    loss = loss_of(criterion, output, batch)
    if not (loss.requires_grad and predicted.requires_grad):
        raise Unavailable("the loss has no gradient in the model's output")
    (gradient,) = torch.autograd.grad(loss.sum(), predicted, allow_unused=True)
    if gradient is None:
        raise Unavailable("the loss does not depend on the part of the output that was taken for the prediction")
    return _by_position((gradient != 0).cpu(), targets)


def _by_position(moved: Tensor, targets: Tensor) -> Tensor:
    """Whether any class moves, for each target: the classes come last, second, or behind flattened positions."""
    shape, found = targets.shape, moved.shape
    last, second = found[:-1] == shape, (*found[:1], *found[2:]) == shape
    flat = moved.ndim == 2 and len(moved) == targets.numel()
    if last + second + flat != 1:
        raise Unavailable(f"outputs {tuple(found)} for targets {tuple(shape)}: which dimension holds the classes?")
    return moved.any(1) if second else moved.any(-1).reshape(shape)


def _token_ids(batch: Batch) -> Tensor | None:
    """The integer input that has a value for each target; `input_ids` where several have."""
    import torch

    inputs = batch.inputs
    given = inputs.values() if isinstance(inputs, Mapping) else inputs if isinstance(inputs, list | tuple) else [inputs]
    integers = [v for v in given if isinstance(v, torch.Tensor) and not v.is_floating_point()]
    fitting = [v for v in integers if v.ndim == 2 and v.shape == batch.targets.shape]
    if isinstance(inputs, Mapping) and any(v is inputs.get("input_ids") for v in fitting):
        return cast("Tensor", inputs["input_ids"])
    return fitting[0] if len(fitting) == 1 else None


def _padding(texts: list[Tensor | None]) -> list[Tensor] | None:
    """Where the token ids are padding; None without token ids.

    Padding is an id that fills the ends of rows to different lengths, and occurs nowhere else. The first of such a run
    is not taken for padding: it may be the end-of-text token that also serves to pad.
    """
    import torch

    ids = [text.cpu() for text in texts if text is not None]
    if not ids or len(ids) < len(texts):
        return None
    pad = torch.cat([i[:, -1] for i in ids]).mode().values
    runs = [(i == pad).flip(1).long().cumprod(1).flip(1).bool() for i in ids]
    only_at_the_end = all(bool((run == (i == pad)).all()) for run, i in zip(runs, ids, strict=True))
    lengths = [run.sum(1) for run in runs]
    ragged = any(bool(n.min() < n.max()) for n in lengths)
    inner = [torch.cat([torch.zeros_like(run[:, :1]), run[:, 1:] & run[:, :-1]], 1) for run in runs]
    return inner if only_at_the_end and ragged else [torch.zeros_like(run) for run in runs]
