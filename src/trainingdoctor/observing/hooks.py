"""Global hooks of torch that tell a recorder what a loop does; no source of the user's is patched."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as modules
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from trainingdoctor.observing.places import users_frame, users_place
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.replacing import wrap
from trainingdoctor.observing.saving import under_best

# Functions that a loop calls as its criterion.
LOSSES = (
    *("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss"),
    *("smooth_l1_loss", "huber_loss", "kl_div", "multi_margin_loss", "hinge_embedding_loss", "poisson_nll_loss"),
    *("soft_margin_loss", "multilabel_soft_margin_loss", "gaussian_nll_loss"),
)


@contextmanager
def observed(recorder: Recorder) -> Iterator[Recorder]:
    """Everything that torch does in this thread inside the block is told to the recorder."""
    with ExitStack() as stack:
        calls = _watched_modules(stack, recorder)
        _watch_gradients(stack, recorder)
        stack.callback(register_optimizer_step_pre_hook(functools.partial(_stepping, recorder)).remove)
        stack.callback(register_optimizer_step_post_hook(lambda o, *_: recorder.after_step(o)).remove)
        wrap(stack, Optimizer, "__init__", functools.partial(_built, recorder))
        wrap(stack, DataLoader, "__iter__", functools.partial(_iterated, calls))
        for name in LOSSES:
            wrap(stack, functional, name, functools.partial(_lost, calls))
        wrap(stack, torch, "save", functools.partial(_saved, recorder))
        wrap(stack, DistributedDataParallel, "__init__", functools.partial(_wrapped, recorder))
        wrap(stack, Optimizer, "load_state_dict", functools.partial(_state_loaded, recorder))
        wrap(stack, nn.Module, "load_state_dict", functools.partial(_loaded, recorder))
        for owner in (Optimizer, nn.Module):
            wrap(stack, owner, "zero_grad", functools.partial(_cleared, recorder))
        wrap(stack, ReduceLROnPlateau, "step", functools.partial(_told, recorder))
        _watch_clipping(stack, recorder)
        _watch_streams(stack, recorder)
        yield recorder


def _watched_modules(stack: ExitStack, recorder: Recorder) -> _Calls:
    calls = _Calls(recorder, stack)
    stack.callback(modules.register_module_forward_pre_hook(calls.before).remove)
    stack.callback(modules.register_module_forward_hook(calls.after, with_kwargs=True, always_call=True).remove)
    return calls


class _Calls:
    """Tells modules that the loop calls from those that other modules call.

    Of a model whose forward() is called by name no hook is told: its first call is seen by those of its parts, the next ones are
    made calls of the model. past: what runs now is a part in such a first call.
    """

    def __init__(self, recorder: Recorder, stack: ExitStack) -> None:
        self.recorder, self.depth, self.thread = recorder, 0, threading.get_ident()
        self.stack, self.past, self.named = stack, False, set[type]()

    def before(self, module: nn.Module, _args: Any) -> None:
        if self._is_elsewhere():
            return
        if self.depth == 0:
            whole = _called_by_name(sys._getframe(1), module)
            self.past = whole is not None
            if whole is not None:
                self._make_calls(whole)
            elif _is_model(module):
                self.recorder.on_forward(module)
        self.depth += 1

    def _make_calls(self, model: nn.Module) -> None:
        owner = next(c for c in type(model).__mro__ if "forward" in vars(c))
        if owner not in self.named:
            self.named.add(owner)
            wrap(self.stack, owner, "forward", self._called)
            self.recorder.on_forward(model)

    def _called(self, original: Callable[..., Any], module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        inside = self.depth > 0 or self._is_elsewhere()
        return original(module, *args, **kwargs) if inside else module(*args, **kwargs)

    def after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self._is_elsewhere():
            return
        self.depth = max(0, self.depth - 1)
        if self.depth and _is_loss(module, args, kwargs, output):
            self.recorder.losses.on_inner(module, args, kwargs, output)
        if self.depth or self.past or output is None:
            return
        if _is_model(module):
            self.recorder.after_forward(module, args, kwargs, output)
        elif len(args) + len(kwargs) >= 2:
            self.recorder.on_criterion(module, args, kwargs, output)

    def _is_elsewhere(self) -> bool:
        """In another thread, or in a trace of torch.jit (TensorBoard's add_graph), which would take down what we do as well."""
        return threading.get_ident() != self.thread or bool(torch._C._is_tracing())


def _called_by_name(frame: FrameType | None, part: nn.Module) -> nn.Module | None:
    """The module in whose forward() one of its parts is called, without having been called itself.

    frame: of the part's call, which may be in another method of the module, such as features().
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename != modules.__file__:
            whole = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
            if not isinstance(whole, nn.Module) or whole is part or all(m is not part for m in whole.modules()):
                return None
            if code.co_name == "forward":
                return whole
        frame = frame.f_back
    return None


def _is_model(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _is_loss(module: nn.Module, args: Any, kwargs: Any, output: Any) -> bool:
    """Whether a module within a model gives a number of what it got and of something else."""
    number = isinstance(output, Tensor) and output.ndim == 0 and output.requires_grad
    return number and len(args) + len(kwargs) >= 2 and not _is_model(module)


def _watch_gradients(stack: ExitStack, recorder: Recorder) -> None:
    def backward(original: Callable[..., Any], tensors: Any, *args: Any, **kwargs: Any) -> Any:
        recorder.on_backward(tensors)
        result = original(tensors, *args, **kwargs)
        recorder.after_backward()
        return result

    wrap(stack, torch.autograd, "backward", backward)


def _stepping(recorder: Recorder, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    recorder.before_step(optimizer, closure=callable(kwargs.get("closure", next(iter(args[1:]), None))))


def _wrapped(recorder: Recorder, original: Callable[..., Any], wrapper: Any, *args: Any, **kwargs: Any) -> Any:
    original(wrapper, *args, **kwargs)
    recorder.ranks.wrappers.append(wrapper)


def _built(recorder: Recorder, original: Callable[..., Any], optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
    recorder.built[optimizer] = users_place(4)
    recorder.built_count += 1
    original(optimizer, *args, **kwargs)
    recorder.reloaded.on_built(optimizer)


def _state_loaded(
    recorder: Recorder, original: Callable[..., Any], optimizer: Optimizer, *args: Any, **kwargs: Any
) -> Any:
    result = original(optimizer, *args, **kwargs)
    recorder.reloaded.on_load(optimizer, users_place(4))
    return result


def _iterated(calls: _Calls, original: Callable[..., Any], loader: Any) -> Any:
    iterator = original(loader)
    return calls.recorder.begin_pass(loader, iterator) if threading.get_ident() == calls.thread else iterator


def _told(
    recorder: Recorder, original: Callable[..., Any], scheduler: Any, metrics: Any, *args: Any, **kwargs: Any
) -> Any:
    with suppress(TypeError, ValueError):
        recorder.on_metric(scheduler, float(metrics))
    return original(scheduler, metrics, *args, **kwargs)


def _saved(recorder: Recorder, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not recorder.saves_best and under_best(users_frame(3)):
        recorder.saves_best = users_place(4)
    return original(*args, **kwargs)


def _lost(calls: _Calls, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = original(*args, **kwargs)
    told = calls.recorder.on_criterion if calls.depth == 0 else calls.recorder.losses.on_inner
    told(original, args, kwargs, result)
    return result


def _watch_streams(stack: ExitStack, recorder: Recorder) -> None:
    """Hear what is printed and logged."""

    def write(original: Callable[..., Any], text: Any) -> Any:
        if isinstance(text, str):
            recorder.on_text(text)
        return original(text)

    for stream in {id(s): s for s in (sys.stdout, sys.stderr) if s is not None}.values():
        with suppress(AttributeError):  # a stream that takes no attributes is not heard
            stream.write = functools.partial(write, stream.write)  # type: ignore[method-assign]
            stack.callback(delattr, stream, "write")


def _loaded(recorder: Recorder, original: Callable[..., Any], module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    result = original(module, *args, **kwargs)
    recorder.on_load(module, args[0] if args else kwargs.get("state_dict"), users_place(4))
    return result


def _cleared(recorder: Recorder, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    recorder.on_zero_grad()
    return original(*args, **kwargs)


def _watch_clipping(stack: ExitStack, recorder: Recorder) -> None:
    def clipped(original: Callable[..., Any], parameters: Any, max_norm: Any, *args: Any, **kwargs: Any) -> Any:
        norm = original(parameters, max_norm, *args, **kwargs)
        recorder.clipping.on_clip(float(max_norm), float(norm), users_place(3))
        return norm

    def scale(original: Callable[..., Any], scaler: Any, outputs: Any) -> Any:
        recorder.clipping.scaled = bool(scaler.is_enabled()) and scaler.get_scale() != 1.0
        return original(scaler, outputs)

    def unscale(original: Callable[..., Any], scaler: Any, *args: Any) -> Any:
        recorder.clipping.scaled = False
        return original(scaler, *args)

    for owner in (nn.utils, nn.utils.clip_grad):
        wrap(stack, owner, "clip_grad_norm_", clipped)
    wrap(stack, torch.amp.GradScaler, "scale", scale)
    wrap(stack, torch.amp.GradScaler, "unscale_", unscale)
