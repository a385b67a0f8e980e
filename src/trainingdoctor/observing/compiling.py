"""What is compiled cannot be watched: the original module is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from trainingdoctor.observing.replacing import replaced


@contextmanager
def uncompiled() -> Iterator[None]:
    """`torch.compile` and `nn.Module.compile` do nothing inside the block."""
    with ExitStack() as stack:
        replaced(stack, torch, "compile", _as_it_is)
        replaced(stack, nn.Module, "compile", lambda self, *_, **__: None)
        yield


def _as_it_is(model: Any = None, **_: Any) -> Any:
    """The module or function itself."""
    return (lambda function: function) if model is None else model
