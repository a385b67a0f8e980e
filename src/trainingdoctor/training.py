"""`Training`: what is examined. Data only; every field may be absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """A model and everything that trains it. What is None makes the checks that need it skipped.

    optimizer, scheduler: one, or a list of several.  scheduler_interval: "epoch" (default) or "step", how often
    `scheduler.step()` is called.  device: where the training is meant to run.  amp: True, or a torch.dtype.
    grad_clip: the norm that gradients are clipped to.  augment_on_device: applied to a batch of inputs in training.
    target_accuracy: in percent.  history: the file of a finished run's metrics (CSV, trainer_state.json, TensorBoard).
    """

    model: nn.Module | None = None
    train_loader: Iterable[Any] | None = None
    val_loader: Iterable[Any] | None = None
    criterion: Callable[..., torch.Tensor] | None = None
    optimizer: Any = None
    scheduler: Any = None
    epochs: int | None = None
    scheduler_interval: str = "epoch"
    device: Any = None
    num_classes: int | None = None
    target_accuracy: float | None = None
    amp: Any = None
    grad_clip: float | None = None
    augment_on_device: Callable[..., Any] | None = None
    history: Any = None
    name: str = "training"

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The names that evidence and checks may ask for."""
        return tuple(f.name for f in fields(cls))
