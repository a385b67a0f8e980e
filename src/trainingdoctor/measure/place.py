"""Examine a training on another device, and put every tensor back where it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import UserError
from trainingdoctor.training import Training


@contextmanager
def placed(training: Training, device: str) -> Iterator[None]:
    """Move the model, the criterion and the optimizer state to `device` for the block; the tensors stay the same objects.

    Raises UserError when the device does not exist.
    """
    where = _device(device)
    moved: list[tuple[Tensor, Tensor]] = []
    for tensor in _tensors(training):
        if tensor.device != where:
            moved.append((tensor, tensor.data))
            tensor.data = tensor.data.to(where)
            if tensor.grad is not None:
                tensor.grad.data = tensor.grad.data.to(where)
    try:
        yield
    finally:
        for tensor, data in moved:
            if tensor.grad is not None:
                tensor.grad.data = tensor.grad.data.to(data.device)
            tensor.data = data


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name}: torch knows no such device; use cpu, cuda, cuda:1, mps, ...") from error
    if device.type == "meta":
        raise UserError("--device meta: it holds no numbers to measure; use --device cpu or leave it out")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0].partition(". ")[0][:100]
        raise UserError(f"--device {name}: not usable here ({reason}); use --device cpu or leave it out") from error


def _tensors(training: Training) -> Iterator[Tensor]:
    for module in (training.model, training.criterion):
        if isinstance(module, nn.Module):
            yield from module.parameters()
            yield from module.buffers()
    optimizers: Any = training.optimizer
    for optimizer in optimizers if isinstance(optimizers, list | tuple) else [optimizers]:
        for state in getattr(optimizer, "state", {}).values():
            # Adam keeps its step count on the CPU on purpose: a scalar stays where it is.
            yield from (v for v in state.values() if isinstance(v, Tensor) and v.ndim)
