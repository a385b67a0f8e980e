"""Convolutions in channels-last order, which small images take faster: 1.3 to 2 times for ResNet-110 on two AVX2 cores."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.calling import set_mode


@contextmanager
def faster(model: nn.Module, batch: Batch) -> Iterator[None]:
    """Kernels in channels-last order inside the block, which only changes the order of memory, not the numbers' meaning.

    Not where the model cannot do with that: `x.view(-1, n)` after a convolution takes contiguous memory for granted.
    """
    kernels = [p for p in model.parameters() if p.ndim == 4]
    before = [p.data for p in kernels]
    for parameter in kernels:
        parameter.data = parameter.data.to(memory_format=torch.channels_last)
    if kernels and not _runs(model, batch.first(1)):
        for parameter, data in zip(kernels, before, strict=True):
            parameter.data = data
        yield
        return
    try:
        yield
    finally:
        for parameter, data in zip(kernels, before, strict=True):
            with torch.no_grad():
                data.copy_(parameter.data)
            parameter.data = data


def _runs(model: nn.Module, batch: Batch) -> bool:
    """Whether the model takes a batch; in evaluation mode, which learns nothing from it."""
    modes = [(m, m.training) for m in model.modules()]
    set_mode(model, False)
    try:
        with torch.no_grad():
            forward(model, batch)
    except (UserCodeError, Unavailable, RuntimeError):
        return False
    finally:
        for module, mode in modes:
            module.training = mode
    return True
