"""The training's optimizers and schedulers, and which parameters they hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable, UserCodeError
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.decoupling import seen_decoupled

# Optimizers without betas whose step is divided by the size of the gradient, or normalized in another way.
ADAPTIVE = ("RMSprop", "Adagrad", "Adadelta", "Rprop", "Adafactor", "Muon", "LARS", "Lars")
# Optimizers that apply weight decay beside the gradient and carry no flag that says so.
DECOUPLED = ("NAdamW", "AdamP", "SGDP", "Adan", "Lion", "Lamb", "LAMB", "Muon", "Adafactor", "Sophia", "Prodigy")


def several(value: Any) -> tuple[Any, ...]:
    """One, a list or a dict of several, as a tuple."""
    if isinstance(value, Mapping):
        return tuple(value.values())
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True)
class ClipLimit:
    """norm: that gradients are clipped to; None where they are not, or by no norm that is known."""

    norm: float | None


@evidence(optional=("grad_clip",))
def clip_limit(grad_clip: float | None) -> ClipLimit:
    """What bounds the gradient of a step."""
    return ClipLimit(grad_clip)


@evidence()
def optimizers(optimizer: Any) -> tuple[Any, ...]:
    """All optimizers of the training; Unavailable for objects without param_groups."""
    found = several(optimizer)
    if not found or not all(hasattr(o, "param_groups") for o in found):
        raise Unavailable("the optimizer has no param_groups that could be read")
    for one in found:
        require_groups(one)
    return found


def require_groups(optimizer: Any) -> None:
    """Raise UserCodeError where what every optimizer keeps in its groups is not there, or is no number."""
    groups, name = optimizer.param_groups, type(optimizer).__name__
    if not groups:
        raise UserCodeError(name, said=f"{name} has no parameter group: it trains nothing")
    for group in groups:
        if "params" not in group:
            raise UserCodeError(name, said=f"{name} has a parameter group without `params`")
        for key in ("lr", "weight_decay", "momentum"):
            value = group.get(key)
            if value is not None and not (isinstance(value, Real | Tensor | np.generic) and math.isfinite(value)):
                said = f"{name} has {key}={value!r} in a parameter group: it must be a finite number"
                raise UserCodeError(name, said=said)


@evidence()
def schedulers(scheduler: Any) -> tuple[Any, ...]:
    """All schedulers of the training."""
    return several(scheduler)


@dataclass(frozen=True)
class Group:
    """One parameter group's numbers. place: as written in Python, for `where`.  base_lr: the rate before any schedule.

    A rate is NaN where the optimizer sets its own (lr=None).  decoupled_flag: what the group itself says about its
    weight decay, or what a class that is none of torch's was seen to do with it; None where neither tells.
    """

    place: str
    optimizer: str
    lr: float
    base_lr: float
    weight_decay: float
    momentum: float | None
    nesterov: bool
    betas: tuple[float, float] | None
    eps: float | None
    weights: int
    norms_and_biases: int
    names: tuple[str, ...] = field(repr=False, default=())
    decoupled_flag: bool | None = None

    @property
    def decoupled(self) -> bool:
        """Whether weight decay is applied beside the gradient, as in AdamW (Loshchilov & Hutter 2019)."""
        if self.decoupled_flag is not None:
            return self.decoupled_flag
        return "AdamW" in self.optimizer or self.optimizer in DECOUPLED

    @property
    def adaptive(self) -> bool:
        """Whether the step is divided by a running size of the gradient, or normalized."""
        return self.betas is not None or self.optimizer in ADAPTIVE

    @property
    def any_momentum(self) -> float | None:
        """SGD's momentum or Adam's first beta; None for an optimizer without."""
        return self.betas[0] if self.momentum is None and self.betas else self.momentum

    @property
    def averages_itself(self) -> bool:
        """Whether it keeps an average of the weights or finds its own rate, so that no schedule is needed."""
        own = self.optimizer in ("LBFGS", "ASGD", "Rprop", "Prodigy") or self.optimizer.startswith("DAdapt")
        return own or "ScheduleFree" in self.optimizer


@evidence(optional=("model",))
def parameter_groups(optimizers: tuple[Any, ...], model: nn.Module | None) -> tuple[Group, ...]:
    """Every parameter group of every optimizer, in order."""
    names = {} if model is None else {id(p): n for n, p in model.named_parameters()}
    groups = []
    for i, optimizer in enumerate(optimizers):
        prefix = "optimizer" if len(optimizers) == 1 else f"optimizer[{i}]"
        for j, group in enumerate(optimizer.param_groups):
            found = _group(f"{prefix}.param_groups[{j}]", type(optimizer).__name__, group, names)
            if found.decoupled_flag is None and found.adaptive and found.weight_decay > 0:
                found = replace(found, decoupled_flag=seen_decoupled(optimizer, group))
            groups.append(found)
    return tuple(groups)


def _group(place: str, optimizer: str, group: Mapping[str, Any], names: Mapping[int, str]) -> Group:
    parameters = list(group["params"])
    betas = group.get("betas")
    rate, flag = group.get("lr"), group.get("decoupled_weight_decay")
    return Group(
        place=place,
        optimizer=optimizer,
        lr=_rate(rate),
        base_lr=_rate(group.get("initial_lr", rate)),
        weight_decay=float(group.get("weight_decay") or 0.0),
        momentum=None if group.get("momentum") is None else float(group["momentum"]),
        nesterov=bool(group.get("nesterov", False)),
        betas=None if betas is None or len(betas) < 2 else (float(betas[0]), float(betas[1])),
        eps=None if group.get("eps") is None else _number(group["eps"]),
        weights=sum(p.numel() for p in parameters if p.ndim > 1),
        norms_and_biases=sum(p.numel() for p in parameters if p.ndim <= 1),
        names=tuple(names[id(p)] for p in parameters if id(p) in names),
        decoupled_flag=None if flag is None else bool(flag),
    )


def _rate(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _number(value: Any) -> float:
    return float(value[-1] if isinstance(value, tuple | list) else value)


@dataclass(frozen=True)
class Ownership:
    """Which parameters the optimizers hold, by identity. Counts are numbers of scalars.

    missing: trainable parameters that no optimizer holds.  foreign: held, and neither the model's nor the criterion's.
    duplicated: held more than once.  frozen: held though requires_grad is False.
    """

    trainable: int
    held: int
    missing: tuple[str, ...]
    missing_count: int
    foreign: int
    foreign_tensors: int
    duplicated: tuple[str, ...]
    frozen: tuple[str, ...]
    frozen_count: int
    empty_optimizer: bool


@evidence(optional=("criterion",))
def ownership(model: nn.Module, optimizers: tuple[Any, ...], criterion: Any) -> Ownership:
    """Compare the model's parameters with the optimizers', by identity."""
    named = dict(model.named_parameters())
    held: dict[int, Tensor] = {}
    counts: dict[int, int] = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                held[id(parameter)] = parameter
                counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    own = {id(p) for p in named.values()}
    own |= {id(p) for p in criterion.parameters()} if isinstance(criterion, nn.Module) else set()
    foreign = [p for key, p in held.items() if key not in own]
    missing = [n for n, p in named.items() if p.requires_grad and id(p) not in held]
    frozen = [n for n, p in named.items() if not p.requires_grad and id(p) in held]
    return Ownership(
        trainable=sum(p.numel() for p in named.values() if p.requires_grad),
        held=sum(p.numel() for p in held.values()),
        missing=tuple(missing),
        missing_count=sum(named[n].numel() for n in missing),
        foreign=sum(p.numel() for p in foreign),
        foreign_tensors=len(foreign),
        duplicated=tuple(n for n, p in named.items() if counts.get(id(p), 0) > 1),
        frozen=tuple(frozen),
        frozen_count=sum(named[n].numel() for n in frozen),
        empty_optimizer=not held,
    )


@dataclass(frozen=True)
class SchedulerBinding:
    """Whether a scheduler drives one of the training's optimizers.

    expected: the rate the scheduler last set, and actual: the rate the optimizer has now (None when unknown).
    """

    scheduler: str
    bound: bool
    base: float | None
    expected: float | None
    actual: float | None
    started: bool


def same_optimizer(one: Any, other: Any) -> bool:
    """Whether both are one optimizer: the same object, or one wraps the other (SAM, accelerate) and shares its groups."""
    if one is other:
        return True
    groups = {id(g) for g in getattr(one, "param_groups", ())}
    return any(id(g) in groups for g in getattr(other, "param_groups", ()))


@evidence()
def scheduler_bindings(optimizers: tuple[Any, ...], schedulers: tuple[Any, ...]) -> tuple[SchedulerBinding, ...]:
    """For each scheduler: the optimizer it is bound to, and the rate it believes that one has."""
    found = []
    for scheduler in schedulers:
        bound_to = getattr(scheduler, "optimizer", None)
        if bound_to is None:
            continue
        base = getattr(scheduler, "base_lrs", None)
        last = getattr(scheduler, "_last_lr", None)
        found.append(
            SchedulerBinding(
                scheduler=type(scheduler).__name__,
                bound=any(same_optimizer(bound_to, o) for o in optimizers),
                base=float(base[0]) if base else None,
                expected=float(last[0]) if last else None,
                actual=float(bound_to.param_groups[0]["lr"]),
                started=int(getattr(scheduler, "last_epoch", 0) or 0) > 0,
            )
        )
    if not found:
        raise Unavailable("no scheduler says which optimizer it drives")
    return tuple(found)
