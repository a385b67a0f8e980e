"""Half precision: what is kept in it, what leaves float16's range, and which updates it rounds away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch, device_of, mapped, tensors
from trainingdoctor.measure.calling import user_code
from trainingdoctor.measure.hooks import attached, leaves
from trainingdoctor.measure.steps import backward, compute_loss

HALVES = (torch.float16, torch.bfloat16)
# The largest number of float16, and half its smallest: what is below becomes zero.
LARGEST, VANISHES = 65504.0, 2.0**-25


@dataclass(frozen=True)
class PrecisionPlan:
    """Which parts of the training run in half precision. amp: the dtype of autocast, None without.

    weights, statistics, state: dtypes of trained parameters, of BatchNorm's running statistics and of the optimizer's
    buffers (those of the weights, before the first step), where they are half; else None.  momentum: BatchNorm's lowest.
    """

    amp: str | None
    weights: str | None
    statistics: str | None
    state: str | None
    momentum: float | None
    optimizer: str | None
    eps: float | None

    @property
    def float16(self) -> bool:
        """Whether activations and gradients are float16."""
        return "float16" in (self.amp, self.weights)


@evidence(optional=("amp", "device", "optimizers"))
def precision_plan(model: nn.Module, amp: Any, device: Any, optimizers: tuple[Any, ...] | None) -> PrecisionPlan:
    """Read the dtypes; Unavailable where everything is single precision."""
    weights = _half(p for p in model.parameters() if p.requires_grad)
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_var is not None]
    half_norms = [m for m in norms if m.running_var is not None and m.running_var.dtype in HALVES]
    autocast = _autocast(amp, device, model)
    if not (weights or half_norms or autocast):
        raise Unavailable("everything runs in single precision")
    held = [p for o in optimizers or () for g in o.param_groups for p in g["params"]]
    first = optimizers[0] if optimizers else None
    eps = first.param_groups[0].get("eps") if first is not None else None
    momenta = [float(m.momentum) for m in half_norms if m.momentum]
    return PrecisionPlan(
        amp=autocast,
        weights=weights,
        statistics=_half(m.running_var for m in half_norms),
        state=_half(p for p in held if p.is_floating_point()) if optimizers else None,
        momentum=min(momenta, default=None),
        optimizer=type(first).__name__ if first is not None else None,
        eps=float(eps) if isinstance(eps, int | float) else None,
    )


def _half(values: Any) -> str | None:
    found = {v.dtype for v in values if v is not None and v.dtype in HALVES}
    return str(sorted(found, key=str)[-1]).removeprefix("torch.") if found else None


def _autocast(amp: Any, device: Any, model: nn.Module) -> str | None:
    """The dtype that autocast will use where the training is meant to run."""
    if not amp:
        return None
    if isinstance(amp, torch.dtype):
        return str(amp).removeprefix("torch.") if amp in HALVES else None
    where = torch.device(device).type if device is not None else device_of(model).type
    return "float16" if where == "cuda" else "bfloat16"


@dataclass(frozen=True)
class HalfRange:
    """A forward and backward pass in single precision, held against float16's range.

    largest: biggest activation, and the module that gave it.  vanishing: share of the activations' gradients (those
    that are not zero) that float16 turns into zero without a scaled loss.
    """

    largest: float
    module: str
    vanishing: float


@evidence(cost="probe")
def half_range(
    model: nn.Module,
    precision_plan: PrecisionPlan,
    train_batches: tuple[Batch, ...],
    criterion: Callable[..., Any],
    batch_size: Any,
    *,
    samples: int = 32,
) -> HalfRange:
    """Run the model in float32 on some samples; Unavailable unless the training uses float16.

    The loss is scaled to the user's batch size, whose mean makes gradients as much smaller.
    """
    if not precision_plan.float16:
        raise Unavailable("the training does not use float16")
    batch = train_batches[0].first(samples)
    share = min(1.0, batch.size / max(batch_size.samples, 1))
    with user_code("model.float()"):
        model.train().float()
    with _listening(model) as (outputs, gradients):
        _, loss = compute_loss(model, single_batch(batch), criterion)
        backward(loss * share)
    module, largest = max(outputs, key=lambda o: o[1], default=("model", 0.0))
    small, counted = (sum(g[i] for g in gradients) for i in (0, 1))
    return HalfRange(largest, module, small / counted if counted else 0.0)


def single_batch(batch: Batch) -> Batch:
    """The batch with its half-precision tensors in float32."""
    return Batch(mapped(batch.inputs, _single), mapped(batch.targets, _single))


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in HALVES else tensor


@contextmanager
def _listening(model: nn.Module) -> Iterator[tuple[list[tuple[str, float]], list[tuple[int, int]]]]:
    """Largest outputs of leaf modules, and how many of the gradients that reach them vanish, of how many."""
    outputs: list[tuple[str, float]] = []
    gradients: list[tuple[int, int]] = []

    def heard(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hear(_module: nn.Module, _inputs: Any, output: Any) -> None:
            for value in tensors(output):
                if value.is_floating_point() and value.numel():
                    outputs.append((name, float(value.detach().abs().max())))
                    if value.requires_grad:
                        value.register_hook(lambda g: gradients.append(_vanishing(g)))

        return hear

    with attached(m.register_forward_hook(heard(n or type(m).__name__)) for n, m in leaves(model)):
        yield outputs, gradients


def _vanishing(gradient: Tensor) -> tuple[int, int]:
    size = gradient.detach().abs()
    return int(((size > 0) & (size < VANISHES)).sum()), int((size > 0).sum())


@dataclass(frozen=True)
class LostUpdates:
    """A real step of half-precision weights. lost: share of the weights with a gradient that the step left as they were.

    nonfinite: share of the weights that the step made NaN or infinite.
    """

    dtype: str
    lost: float
    nonfinite: float


@evidence(cost="probe", optional=("schedule_trace", "grad_clip"))
def lost_updates(
    model: nn.Module,
    precision_plan: PrecisionPlan,
    optimizers: tuple[Any, ...],
    train_batches: tuple[Batch, ...],
    criterion: Callable[..., Any],
    schedule_trace: Any,
    grad_clip: float | None,
    *,
    samples: int = 32,
) -> LostUpdates:
    """Make one step at the peak rate and count the weights that stand still; Unavailable for weights in float32."""
    if precision_plan.weights is None:
        raise Unavailable("the weights are kept in single precision")
    _half_gradients(model, train_batches[0].first(samples), criterion)
    if grad_clip:
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    held = [p for o in optimizers for g in o.param_groups for p in g["params"] if p.grad is not None]
    halves = [p for p in held if p.dtype in HALVES]
    before = [p.detach().clone() for p in halves]
    _raise_to(optimizers, schedule_trace.peak if schedule_trace else None)
    with user_code("optimizer.step()"):
        for optimizer in optimizers:
            optimizer.step()
    moving = sum(int((p.grad != 0).sum()) for p in halves if p.grad is not None)
    still = sum(int(((p.grad != 0) & (p.detach() == b)).sum()) for p, b in zip(halves, before, strict=True))
    bad = sum(int((~torch.isfinite(p.detach())).sum()) for p in halves)
    total = sum(p.numel() for p in halves)
    return LostUpdates(precision_plan.weights, still / max(moving, 1), bad / max(total, 1))


def _half_gradients(model: nn.Module, batch: Batch, criterion: Callable[..., Any]) -> None:
    """Fill in the gradients of half-precision weights, computed in float32: float16 kernels are very slow on a CPU."""
    parameters = list(model.parameters())
    halves = [p.data for p in parameters]
    with user_code("model.float()"):
        model.train().float().zero_grad(set_to_none=True)
    _, loss = compute_loss(model, single_batch(batch), criterion)
    backward(loss)
    for parameter, half in zip(parameters, halves, strict=True):
        gradient, parameter.grad = parameter.grad, None
        parameter.data = half
        parameter.grad = None if gradient is None else gradient.to(half.dtype)


def _raise_to(optimizers: tuple[Any, ...], peak: float | None) -> None:
    """Bring all rates to the schedule's peak, in proportion: a warm-up would lose every update."""
    groups = [g for o in optimizers for g in o.param_groups if g.get("lr")]
    leading = max((float(g["lr"]) for g in groups), default=0.0)
    for group in groups:
        group["lr"] = float(group["lr"]) * (peak / leading if peak else 1.0)
