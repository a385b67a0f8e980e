"""Scripts that insist on CUDA, run on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from trainingdoctor.observing.replacing import replaced

# Calls that only make sense on a GPU, and what they say without one.
HARMLESS: dict[str, Callable[..., Any]] = {
    "set_device": lambda *_, **__: None,
    "synchronize": lambda *_, **__: None,
    "empty_cache": lambda *_, **__: None,
    "current_device": lambda *_, **__: 0,
    "get_device_name": lambda *_, **__: "cpu",
    "get_device_capability": lambda *_, **__: (0, 0),
    "reset_peak_memory_stats": lambda *_, **__: None,
    "max_memory_allocated": lambda *_, **__: 0,
    "memory_allocated": lambda *_, **__: 0,
}


@contextmanager
def on_cpu(wanted: bool = True) -> Iterator[None]:
    """`.cuda()`, `.to("cuda")` and `device="cuda"` mean the CPU inside the block; nothing changes where there is a GPU."""
    if not wanted or torch.cuda.is_available():
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(_ToCpu())
        for name, value in HARMLESS.items():
            replaced(stack, torch.cuda, name, value)
        replaced(stack, nn.Module, "cuda", lambda self, *_, **__: self)
        replaced(stack, torch, "load", _loading(torch.load))
        yield


class _ToCpu(TorchFunctionMode):
    """Rewrites the devices in the arguments of every torch function."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.cuda:
            return args[0]
        if "device" in kwargs and _is_cuda(kwargs["device"]):
            kwargs = {**kwargs, "device": "cpu"}
        if func is torch.Tensor.to and len(args) > 1 and _is_cuda(args[1]):
            args = (args[0], "cpu", *args[2:])
        if func is torch.Tensor.pin_memory:
            return args[0]
        return func(*args, **kwargs)


def _is_cuda(device: Any) -> bool:
    if isinstance(device, torch.device):
        return device.type == "cuda"
    return (isinstance(device, str) and device.startswith("cuda")) or (type(device) is int)


def _loading(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(*args: Any, **kwargs: Any) -> Any:
        place = kwargs.get("map_location", args[1] if len(args) > 1 else None)
        if place is None or _is_cuda(place):
            args, kwargs = args[:1], {**kwargs, "map_location": "cpu"}
        return original(*args, **kwargs)

    return load
