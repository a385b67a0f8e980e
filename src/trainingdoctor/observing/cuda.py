"""Scripts that insist on CUDA, run on the CPU."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from trainingdoctor.observing.places import is_users
from trainingdoctor.observing.replacing import replaced, wrap


class _Event:
    """A torch.cuda.Event by the processor's clock."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.at = 0.0

    def record(self, *_: Any) -> None:
        """Now."""
        self.at = time.perf_counter()

    def elapsed_time(self, end: _Event) -> float:
        """Milliseconds."""
        return 1e3 * (end.at - self.at)

    def query(self) -> bool:
        """On a processor everything has been done."""
        return True

    def synchronize(self, *_: Any) -> None:
        """There is nothing to wait for."""

    wait = synchronize


class _Stream:
    """A torch.cuda.Stream where everything is done in its turn."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def record_event(self, event: _Event | None = None) -> _Event:
        """Now."""
        event = event or _Event()
        event.record()
        return event

    def synchronize(self, *_: Any) -> None:
        """There is nothing to wait for."""

    wait_stream = wait_event = synchronize


def _on_stream(_: Any) -> AbstractContextManager[None]:
    return nullcontext()


# Calls that only make sense on a GPU, and what they say without one.
HARMLESS: dict[str, Callable[..., Any]] = {
    "set_device": lambda *_, **__: None,
    "synchronize": lambda *_, **__: None,
    "empty_cache": lambda *_, **__: None,
    "current_device": lambda *_, **__: 0,
    "get_device_name": lambda *_, **__: "cpu",
    "get_device_capability": lambda *_, **__: (0, 0),
    "get_device_properties": lambda *_, **__: SimpleNamespace(
        name="cpu", major=0, minor=0, total_memory=0, multi_processor_count=0
    ),
    "reset_peak_memory_stats": lambda *_, **__: None,
    "max_memory_allocated": lambda *_, **__: 0,
    "memory_allocated": lambda *_, **__: 0,
    "Event": _Event,
    "Stream": _Stream,
    "current_stream": _Stream,
    "default_stream": _Stream,
    "stream": _on_stream,
}

# Tensor types by their old names, torch.cuda.FloatTensor and the like.
TYPES = tuple(
    f"{kind}Tensor" for kind in ("Float", "Double", "Half", "BFloat16", "Byte", "Char", "Short", "Int", "Long", "Bool")
)


@dataclass
class Asked:
    """cuda: whether any device was rewritten.  denied: whether the user's code was told that there is none."""

    cuda: bool = False
    denied: bool = False


@contextmanager
def on_cpu(wanted: bool = True, claimed: bool = False) -> Iterator[Asked]:
    """`.cuda()`, `.to("cuda")` and `device="cuda"` mean the CPU inside the block; nothing changes where there is a GPU.

    claimed: tell the user's code that there is one, for scripts that go no further without.
    """
    asked = Asked()
    if not wanted or torch.cuda.is_available():
        yield asked
        return
    with ExitStack() as stack:
        stack.enter_context(_ToCpu(asked))
        for name, value in HARMLESS.items():
            replaced(stack, torch.cuda, name, value)
        for name in TYPES:
            replaced(stack, torch.cuda, name, getattr(torch, name))
        wrap(stack, torch, "set_default_tensor_type", lambda original, kind: original(_on_cpu(kind)))
        replaced(stack, torch.cuda, "device_count", _device_count)
        replaced(stack, torch.cuda, "is_available", _availability(asked, claimed))
        replaced(stack, torch.Tensor, "record_stream", lambda *_: None)
        replaced(stack, nn.Module, "cuda", lambda self, *_, **__: self)
        if distributed.is_available():
            _processes_on_cpu(stack)
        replaced(stack, torch, "load", _loading(torch.load))
        yield asked


def _device_count() -> int:
    """One for the user's code, which divides by it; none for torch's own, which would ask the device for its state."""
    return int(is_users(sys._getframe(1).f_code.co_filename))


def _availability(asked: Asked, claimed: bool) -> Callable[[], bool]:
    def is_available() -> bool:
        by_user = is_users(sys._getframe(1).f_code.co_filename)
        asked.denied |= by_user and not claimed
        return by_user and claimed

    return is_available


def _processes_on_cpu(stack: ExitStack) -> None:
    """NCCL and the numbers of GPUs are nothing for processes on a CPU."""

    def grouped(original: Callable[..., Any], backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        return original("gloo" if backend in ("nccl", None) else backend, *args, **kwargs)

    def wrapped(original: Callable[..., Any], wrapper: Any, module: Any, *_: Any, **kwargs: Any) -> Any:
        numbers = ("device_ids", "output_device")
        return original(wrapper, module, **{k: v for k, v in kwargs.items() if k not in numbers})

    def waited(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return original(*args, **{k: v for k, v in kwargs.items() if k != "device_ids"})

    wrap(stack, distributed, "init_process_group", grouped)
    wrap(stack, distributed, "barrier", waited)
    wrap(stack, DistributedDataParallel, "__init__", wrapped)


class _ToCpu(TorchFunctionMode):
    """Rewrites the devices in the arguments of every torch function."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.cuda:
            self.asked.cuda = True
            return args[0]
        if "device" in kwargs and _is_cuda(kwargs["device"]):
            self.asked.cuda, kwargs = True, {**kwargs, "device": "cpu"}
        if func is torch.Tensor.to and len(args) > 1 and _is_cuda(args[1]):
            self.asked.cuda, args = True, (args[0], "cpu", *args[2:])
        if func is torch.Tensor.type and len(args) > 1:
            args = (args[0], _on_cpu(args[1]), *args[2:])
        if func is torch.Tensor.pin_memory:
            return args[0]
        return func(*args, **kwargs)


def _is_cuda(device: Any) -> bool:
    if isinstance(device, torch.device):
        return device.type == "cuda"
    return (isinstance(device, str) and device.startswith("cuda")) or (type(device) is int)


def _on_cpu(kind: Any) -> Any:
    """`torch.FloatTensor` for `torch.cuda.FloatTensor`, as scripts name it."""
    return kind.replace("torch.cuda.", "torch.") if isinstance(kind, str) else kind


def _loading(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(*args: Any, **kwargs: Any) -> Any:
        place = kwargs.get("map_location", args[1] if len(args) > 1 else None)
        if place is None or _is_cuda(place):
            args, kwargs = args[:1], {**kwargs, "map_location": "cpu"}
        return original(*args, **kwargs)

    return load
