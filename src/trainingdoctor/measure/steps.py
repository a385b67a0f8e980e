"""One training step, as a training loop makes it: forward, loss, backward, clip, step."""

import contextlib
import inspect
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch, device_of, forward
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.prediction import loss_of


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
        if needs_closure(optimizer):
            name = type(optimizer).__name__
            raise Unavailable(f"{name} needs a closure: a step of it is not one forward and backward pass")
    clear_gradients(optimizers)
    _, loss = compute_loss(model, batch, criterion, amp)
    backward(loss, optimizers)
    if grad_clip:
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    step(optimizers)
    return float(loss.detach())


def clear_gradients(optimizers: Sequence[Any]) -> None:
    """zero_grad() of each, with what it raises attributed to the optimizer; one without it has its parameters' cleared."""
    with user_code("optimizer.zero_grad()"):
        for optimizer in optimizers:
            if hasattr(optimizer, "zero_grad"):
                optimizer.zero_grad()
                continue
            for parameter in (p for group in optimizer.param_groups for p in group["params"]):
                parameter.grad = None


def step(optimizers: Sequence[Any]) -> None:
    """A step of each, with what it raises attributed to the optimizer."""
    with user_code("optimizer.step()"):
        for optimizer in optimizers:
            optimizer.step()


def needs_closure(optimizer: Any) -> bool:
    """Whether `step` evaluates the model itself, as in LBFGS."""
    # Of the class: schedulers wrap the instance's method, and its signature is lost.
    parameters = list(inspect.signature(type(optimizer).step).parameters.values())[1:]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in variadic for p in parameters)


def wants_graph(optimizer: Any) -> bool:
    """Whether it differentiates the gradients again, as AdaHessian does: a loop gives it loss.backward(create_graph=True)."""
    written = (vars(kind).values() for kind in type(optimizer).__mro__ if not kind.__module__.startswith("torch."))
    codes = (getattr(inspect.unwrap(f), "__code__", None) for methods in written for f in methods if callable(f))
    return any(code is not None and {"autograd", "grad"} <= set(code.co_names) for code in codes)


def backward(loss: Tensor, optimizers: Sequence[Any] = ()) -> None:
    """loss.backward(), with what it raises attributed to the loss. optimizers: that step after it."""
    again = any(map(wants_graph, optimizers))
    # torch warns of the graph that it keeps then; it goes with the gradients.
    quiet = warnings.catch_warnings(action="ignore", category=UserWarning) if again else contextlib.nullcontext()
    with user_code("loss.backward()"), quiet:
        loss.backward(create_graph=again)
