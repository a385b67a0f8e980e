"""One training step, as a training loop makes it: forward, loss, backward, clip, step."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch, device_of, forward, loss_of
from trainingdoctor.measure.calling import user_code


def autocast(amp: Any, device: torch.device) -> AbstractContextManager[Any]:
    """The user's mixed precision: bfloat16 on the CPU, float16 on a GPU unless `amp` names a dtype; nothing without."""
    if not amp:
        return contextlib.nullcontext()
    dtype = amp if isinstance(amp, torch.dtype) else torch.float16 if device.type == "cuda" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype)


def compute_loss(model: nn.Module, batch: Batch, criterion: Callable[..., Any], amp: Any = None) -> tuple[Any, Tensor]:
    """The model's output and the loss of a batch, under the user's autocast."""
    batch = batch.to(device_of(model))
    with autocast(amp, device_of(model)):
        output = forward(model, batch)
        return output, loss_of(criterion, output, batch)


def training_step(
    model: nn.Module,
    batch: Batch,
    criterion: Callable[..., Any],
    optimizers: Sequence[Any],
    amp: Any = None,
    grad_clip: float | None = None,
) -> float:
    """One step of every optimizer; the loss before it. Raises Unavailable for optimizers that need a closure."""
    for optimizer in optimizers:
        if isinstance(optimizer, torch.optim.LBFGS):
            raise Unavailable("LBFGS needs a closure: a step of it is not one forward and backward pass")
        optimizer.zero_grad(set_to_none=True)
    _, loss = compute_loss(model, batch, criterion, amp)
    backward(loss)
    if grad_clip:
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    with user_code("optimizer.step()"):
        for optimizer in optimizers:
            optimizer.step()
    return float(loss.detach())


def backward(loss: Tensor) -> None:
    """loss.backward(), with what it raises attributed to the loss."""
    with user_code("loss.backward()"):
        loss.backward()
