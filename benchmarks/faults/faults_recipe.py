"""Faults of the recipe: learning rate, schedule, optimizer, weight decay, clipping, length of the run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from fault import Fault, both, change, fault, group, last_linear, later, times
from parts import Parts
from torch import nn
from torch.optim import SGD, Adagrad, Adam, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, OneCycleLR

DC, TD, UM, TC = "DeepCrime", "TheDeepChecker", "UMLAUT", "TrainCheck"


def per_epoch(make: Callable[[Any, int, int], Any]) -> Callable[[Parts], Parts]:
    """Another scheduler, called once per epoch."""
    return change(scheduler=make, interval="epoch")


def at(*shares: float, gamma: float = 0.1) -> Callable[[Any, int, int], Any]:
    """Milestones as shares of the run."""
    return lambda o, steps, epochs: MultiStepLR(o, [max(1, int(s * epochs)) for s in shares], gamma)


def set_rate(factor: float) -> Callable[[Any], None]:
    def step(optimizer: Any) -> None:
        for g in optimizer.param_groups:
            g["lr"] *= factor

    return step


def elsewhere(optimizer: Any, steps: int, epochs: int) -> Any:
    return MultiStepLR(SGD([torch.zeros(1, requires_grad=True)], lr=0.1), [epochs // 2, epochs * 3 // 4])


def head_only(model: nn.Module) -> Any:
    return SGD(last_linear(model).parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


def without_head(model: nn.Module) -> Any:
    head = {id(p) for p in last_linear(model).parameters()}
    return SGD([p for p in model.parameters() if id(p) not in head], lr=0.1, momentum=0.9, weight_decay=1e-4)


def slow_body(model: nn.Module) -> Any:
    """All but the head at a rate for pretrained weights."""
    head = list(last_linear(model).parameters())
    body = [p for p in model.parameters() if all(p is not h for h in head)]
    return SGD([{"params": body, "lr": 1e-5}, {"params": head}], lr=0.1, momentum=0.9, weight_decay=1e-4)


def twice(parts: Parts) -> Parts:
    """The head in an optimizer of its own, too."""
    make = parts.optimizer
    second = SGD
    return parts.but(
        optimizer=lambda m: [make(m), second(last_linear(m).parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)],
        scheduler=(lambda o, s, e: parts.scheduler(o[0], s, e)) if parts.scheduler else None,
    )


def sgd(**numbers: Any) -> Callable[[Parts], Parts]:
    values = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, **numbers}
    return change(optimizer=lambda m: SGD(m.parameters(), **values))


def to(kind: Any, **numbers: Any) -> Callable[[Parts], Parts]:
    return change(optimizer=lambda m: kind(m.parameters(), **numbers))


def short(epochs: int) -> Callable[[Parts], Parts]:
    return change(epochs=epochs, scheduler=lambda o, s, e: CosineAnnealingLR(o, e), interval="epoch")


HIGH = ("loss.*", "decay.too_strong", "lr.update_ratio")
FAULTS: tuple[Fault, ...] = (
    fault("rate times 1000", "lr.too_high", group(lr=times(1000)), corpus=f"{UM} rate of 1e3; {DC} learning rate; {TD} high rate", consequences=HIGH),
    fault("rate times 100", "lr.too_high", group(lr=times(100)), corpus=f"{TD} high rate", consequences=HIGH),
    fault("rate times 10", "lr.too_high", group(lr=times(10)), needs="sgd", without="per-step", strength="subtle", consequences=HIGH),
    fault("rate times 1e-3", "lr.too_low", group(lr=times(1e-3)), corpus=f"{TD} low rate", consequences=("decay.too_weak",)),
    fault("rate times 1e-5", "lr.too_low", group(lr=times(1e-5)), corpus=f"{DC} learning rate; {TD} low rate", consequences=("decay.too_weak",)),
    fault("no schedule", "schedule.missing", per_epoch(lambda o, s, e: None), needs="sgd"),
    fault("milestones after the end", "schedule.never_decays", per_epoch(at(1.3, 1.6)), needs="sgd"),
    fault("milestones in steps", "schedule.step_unit", per_epoch(lambda o, s, e: MultiStepLR(o, [e * s // 2, e * s * 3 // 4])), needs="sgd", also=("schedule.never_decays",)),
    fault("T_max in steps", "schedule.step_unit", per_epoch(lambda o, s, e: CosineAnnealingLR(o, e * s)), also=("schedule.never_decays",)),
    fault("epochs stepped per batch", "schedule.step_unit", change(scheduler=lambda o, s, e: MultiStepLR(o, [e // 2, e * 3 // 4]), interval="step"), also=("schedule.decays_too_early",)),
    fault("one-cycle stepped per epoch", "schedule.step_unit", change(scheduler=lambda o, s, e: OneCycleLR(o, 0.1, total_steps=s * e), interval="epoch"), needs="sgd", also=("schedule.warmup_stuck",)),
    fault("one-cycle too short", "schedule.step_unit", change(scheduler=lambda o, s, e: OneCycleLR(o, 0.1, total_steps=s * e // 2), interval="step"), needs="sgd"),
    fault("decayed after a tenth", "schedule.decays_too_early", per_epoch(at(0.03, 0.06, 0.1))),
    fault("decayed after a third", "schedule.decays_too_early", per_epoch(at(0.15, 0.25, 0.3)), strength="subtle"),
    fault("gamma 0.001", "schedule.decays_too_early", per_epoch(at(0.25, 0.75, gamma=0.001)), strength="subtle"),
    fault("cosine cut short", "schedule.ends_high", per_epoch(lambda o, s, e: CosineAnnealingLR(o, 2 * e)), strength="subtle"),
    fault("linear decay to a half", "schedule.ends_high", per_epoch(lambda o, s, e: LinearLR(o, 1.0, 0.55, e)), "sgd conv", strength="subtle", also=("schedule.never_decays",)),
    fault("cosine climbs again", "schedule.restarts_at_end", per_epoch(lambda o, s, e: CosineAnnealingLR(o, int(0.6 * e)))),
    fault("warm-up never ends", "schedule.warmup_stuck", per_epoch(lambda o, s, e: LinearLR(o, 0.01, 1.0, 3 * e))),
    fault("rate set by hand", "schedule.overridden", both(per_epoch(at(0.5, 0.75)), change(after_scheduler=(set_rate(0.1),))), needs="sgd", strength="subtle"),
    fault("rate 0", "schedule.zero_rate", group(lr=0.0), without="per-step"),
    fault("scheduler of another optimizer", "schedule.wrong_optimizer", per_epoch(elsewhere), consequences=("schedule.*",)),
    fault("optimizer holds the head only", "optimizer.missing_parameters", change(optimizer=head_only), without="adamw"),
    fault("optimizer lacks the head", "optimizer.missing_parameters", change(optimizer=without_head), needs="sgd", strength="subtle"),
    fault("model copied after the optimizer", "optimizer.stale_parameters", later(copy.deepcopy)),
    fault("head in two optimizers", "optimizer.duplicated", twice, without="per-step"),
    fault("no momentum", "optimizer.no_momentum", both(group(momentum=0.0), group(nesterov=False)), needs="sgd deep", without="per-step"),
    fault("momentum 0.999", "optimizer.betas", group(momentum=0.999), needs="sgd", without="per-step", consequences=HIGH),
    fault("Adam beta2 0.5", "optimizer.betas", group(betas=(0.9, 0.5)), needs="adam", strength="subtle"),
    fault("Adam with L2 0.01", "optimizer.coupled_decay", to(Adam, lr=1e-3, weight_decay=1e-2), without="per-step"),
    fault("Adam with eps 0.1", "optimizer.epsilon", group(eps=0.1), needs="adam", corpus=f"{DC} optimizer"),
    fault("AdamW with eps 0.1", "optimizer.epsilon", group(eps=0.1), needs="adamw"),
    fault("Adam without eps", "optimizer.epsilon", group(eps=0.0), needs="adam", corpus=f"{TD} small Adam epsilon", strength="subtle"),
    fault("Adam at SGD's rate", "lr.too_high", to(Adam, lr=0.1), without="per-step", corpus=f"{DC} optimizer", consequences=(*HIGH, "decay.missing")),
    fault("RMSprop at SGD's rate", "lr.too_high", to(RMSprop, lr=0.1, weight_decay=1e-4), without="per-step", corpus=f"{DC} optimizer", consequences=(*HIGH, "decay.missing")),
    fault("Adagrad at 1e-5", "lr.too_low", to(Adagrad, lr=1e-5), without="per-step", corpus=f"{DC} optimizer", consequences=("decay.missing",)),
    fault("SGD at Adam's rate", "lr.too_low", sgd(lr=1e-5), needs="adam", corpus=f"{DC} optimizer", consequences=("decay.too_weak",)),
    fault("maximize", "optimizer.negative", group(maximize=True), corpus=f"{TD} flipped sign"),
    fault("no weight decay", "decay.missing", group(weight_decay=0.0), needs="sgd deep", corpus=f"{DC} weight regularizer removed; {TD} missing regularization"),
    fault("weight decay times 1000", "decay.too_strong", group(weight_decay=times(1000)), needs="sgd", corpus=f"{DC} weight regularizer changed; {TD} over-regularization", consequences=HIGH),
    fault("weight decay times 100", "decay.too_strong", group(weight_decay=times(100)), needs="sgd", without="per-step", strength="subtle", corpus=f"{TD} over-regularization", consequences=HIGH),
    fault("AdamW decay 100", "decay.too_strong", group(weight_decay=100.0), needs="adamw", consequences=HIGH),
    fault("weight decay times 1e-3", "decay.too_weak", group(weight_decay=times(1e-3)), needs="sgd deep", strength="subtle", also=("decay.missing",)),
    fault("clipped to 1e-4", "clip.too_small", change(grad_clip=1e-4), needs="sgd", corpus=f"{DC} gradient clipping", consequences=("lr.too_low",)),
    fault("three epochs", "epochs.too_few", short(3), needs="deep", corpus=f"{DC} epochs"),
    fault("one epoch", "epochs.too_few", short(1), needs="deep", corpus=f"{DC} epochs"),
    fault("decayed by 1 % only", "schedule.never_decays", per_epoch(at(0.5, 0.75, gamma=0.99)), needs="sgd", strength="subtle"),
)  # fmt: skip
