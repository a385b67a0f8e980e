"""A training in parts, before it is built; a fault replaces some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from data import Data
from torch import nn

from trainingdoctor import Training

ModelStep = Callable[[nn.Module], nn.Module | None]


@dataclass(frozen=True)
class Parts:
    """One healthy training and where its recipe comes from. tags: what faults ask for before they apply.

    model_steps: done to the model before the optimizer is made.  group: numbers written into every parameter group
    before the scheduler is made.  later_model_steps: done to the model when the optimizer holds its parameters.
    scheduler: gets the optimizer, the steps of an epoch and the number of epochs.
    """

    name: str
    source: str
    tags: frozenset[str]
    model: Callable[[], nn.Module]
    optimizer: Callable[[nn.Module], Any]
    scheduler: Callable[[Any, int, int], Any] | None
    epochs: int
    data: Data = field(default_factory=Data)
    criterion: Any = field(default_factory=nn.CrossEntropyLoss)
    interval: str = "epoch"
    model_steps: tuple[ModelStep, ...] = ()
    group: dict[str, Any] = field(default_factory=dict)
    later_model_steps: tuple[ModelStep, ...] = ()
    after_scheduler: tuple[Callable[[Any], None], ...] = ()
    amp: Any = None
    grad_clip: float | None = None
    with_validation: bool = True

    def build(self, seed: int = 0) -> Training:
        """The training itself, deterministic."""
        torch.manual_seed(seed)
        train_loader, val_loader, on_device = self.data.loaders()
        model = self._stepped(self.model(), self.model_steps)
        optimizer = self.optimizer(model)
        for group in _groups(optimizer):
            group.update({k: v(group[k]) if callable(v) else v for k, v in self.group.items() if k in group})
        model = self._stepped(model, self.later_model_steps)
        scheduler = self.scheduler(optimizer, len(train_loader), self.epochs) if self.scheduler else None
        for step in self.after_scheduler:
            step(optimizer)
        return Training(
            model=model,
            train_loader=train_loader,
            val_loader=val_loader if self.with_validation else None,
            criterion=self.criterion,
            optimizer=optimizer,
            scheduler=scheduler,
            epochs=self.epochs,
            scheduler_interval=self.interval,
            augment_on_device=on_device,
            amp=self.amp,
            grad_clip=self.grad_clip,
            name=self.name,
        )

    @staticmethod
    def _stepped(model: nn.Module, steps: tuple[ModelStep, ...]) -> nn.Module:
        for step in steps:
            model = step(model) or model
        return model

    def but(self, **changes: Any) -> Parts:
        """The same with some parts replaced; `train` and `test` replace fields of the two sides of the data."""
        data = self.data
        for side in ("train", "test"):
            if side in changes:
                data = replace(data, **{side: replace(getattr(data, side), **changes.pop(side))})
        if isinstance(changes.get("data"), dict):
            data = replace(data, **changes.pop("data"))
        return replace(self, data=changes.pop("data", data), **changes)


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    many = optimizer if isinstance(optimizer, list) else [optimizer]
    return [group for one in many for group in one.param_groups]
