"""Optimizers and schedules of well-known healthy trainings: none of them may raise a warning."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adadelta, Adam, AdamW, Optimizer, RMSprop
from torch.optim import lr_scheduler as lr

from trainingdoctor import Finding, Severity
from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.layers import Architecture
from trainingdoctor.measure.optimizers import optimizers, parameter_groups, scheduler_bindings, schedulers
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.schedule import ScheduleTrace, schedule_trace
from trainingdoctor_checks import optimizer as optimizer_checks
from trainingdoctor_checks import schedule as schedule_checks
from trainingdoctor_checks import scheduler as scheduler_checks

RESNET = Architecture("ResNet", 109, 1, 0, 0, 109, 109, 0, 1_727_962)
MLP = Architecture("MLP", 0, 3, 0, 0, 0, 0, 0, 100_000)
VIT = Architecture("ViT", 1, 25, 6, 0, 0, 13, 0, 2_800_000)
FRESH, TRAINED = Pretraining(109, 0), Pretraining(109, 109)
SWALR = torch.optim.swa_utils.SWALR


class Loader:
    """Only its length matters."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return self.steps


class Muon(SGD):
    """By its name an optimizer that normalizes its updates."""


class Lion(Adam):
    """By its name one with betas of its own."""


class Adan(Adam):
    """By its name one with three betas."""


class AdamWScheduleFree(Adam):
    """By its name one that averages its weights."""


def sgd(rate: float = 0.1, **changes: Any) -> Callable[[nn.Module], Optimizer]:
    return lambda m: SGD(m.parameters(), lr=rate, **{"momentum": 0.9, "weight_decay": 5e-4, **changes})


def adamw(rate: float = 1e-3, **changes: Any) -> Callable[[nn.Module], Optimizer]:
    return lambda m: AdamW(m.parameters(), lr=rate, **{"weight_decay": 0.05, **changes})


def warm(scheduler: Callable[[Optimizer], Any], calls: int) -> Callable[[Optimizer], Any]:
    return lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.01, 1.0, calls), scheduler(o)], [calls])


def inverse_square_root(warmup: int) -> Callable[[Optimizer], Any]:
    return lambda o: lr.LambdaLR(o, lambda s: min((s + 1) / warmup, (warmup / (s + 1)) ** 0.5))


def polynomial(calls: int, power: float) -> Callable[[Optimizer], Any]:
    return lambda o: lr.PolynomialLR(o, calls, power)


class TimmLike:
    """timm's schedulers set the rate from a count that they must be given."""

    def __init__(self, optimizer: Optimizer, epochs: int) -> None:
        self.optimizer, self.epochs = optimizer, epochs

    def step(self, epoch: int, metric: float | None = None) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-3 * max(1 - epoch / self.epochs, 0.001)


class OwnPlateau:
    """A home-made schedule that follows a metric."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, val_loss: float) -> None:
        raise AssertionError("must not be called without a metric")


def groups_with_frozen_first(model: nn.Module) -> Optimizer:
    first, second = list(model.parameters())
    return AdamW([{"params": [first], "lr": 0.0}, {"params": [second]}], lr=1e-3)


def layer_wise(model: nn.Module) -> Optimizer:
    first, second = list(model.parameters())
    return SGD([{"params": [first], "lr": 1e-4}, {"params": [second], "lr": 1e-3}], lr=1e-3, momentum=0.9)


def without(_: Optimizer) -> None:
    return None


Recipe = tuple[Architecture, Callable[[nn.Module], Any], Callable[[Any], Any], int, str, int]
# architecture, optimizer, scheduler, epochs, interval, steps per epoch
HEALTHY: dict[str, Recipe] = {
    "He 2015": (RESNET, sgd(weight_decay=1e-4), lambda o: lr.MultiStepLR(o, [82, 123]), 164, "epoch", 391),
    "ViT, warm-up and cosine per step": (VIT, adamw(), warm(lambda o: lr.CosineAnnealingLR(o, 8_000), 800), 22, "step", 400),
    "MLP, Adam": (MLP, lambda m: Adam(m.parameters(), lr=1e-3), without, 20, "epoch", 469),
    "MLP, Adam for long": (MLP, lambda m: Adam(m.parameters(), lr=1e-3), without, 200, "epoch", 469),
    "MLP, SGD": (MLP, sgd(0.01), without, 100, "epoch", 469),
    "ResNet, Adam": (RESNET, lambda m: Adam(m.parameters(), lr=1e-3), without, 100, "epoch", 391),
    "WideResNet": (RESNET, sgd(nesterov=True), lambda o: lr.MultiStepLR(o, [60, 120, 160], 0.2), 200, "epoch", 391),
    "one-cycle, Adam": (RESNET, adamw(), lambda o: lr.OneCycleLR(o, 3e-3, total_steps=9_000), 30, "step", 300),
    "polynomial 0.9": (RESNET, sgd(), polynomial(40_000, 0.9), 100, "step", 400),
    "polynomial 2": (RESNET, sgd(), polynomial(100, 2.0), 100, "epoch", 400),
    "nnU-Net": (RESNET, sgd(0.01, momentum=0.99, nesterov=True, weight_decay=3e-5), polynomial(1000, 0.9), 1000, "epoch", 250),
    "restarts that end low": (RESNET, sgd(), lambda o: lr.CosineAnnealingWarmRestarts(o, 10, 2), 70, "epoch", 391),
    "restarts of 10": (RESNET, sgd(), lambda o: lr.CosineAnnealingWarmRestarts(o, 10), 100, "epoch", 391),
    "plateau": (RESNET, sgd(), lr.ReduceLROnPlateau, 100, "epoch", 391),
    "home-made plateau": (RESNET, sgd(), OwnPlateau, 100, "epoch", 391),
    "exponential 0.95": (RESNET, sgd(), lambda o: lr.ExponentialLR(o, 0.95), 100, "epoch", 391),
    "exponential 0.98": (RESNET, sgd(), lambda o: lr.ExponentialLR(o, 0.98), 100, "epoch", 391),
    "exponential 0.99, Adam": (RESNET, adamw(), lambda o: lr.ExponentialLR(o, 0.99), 50, "epoch", 391),
    "a small step per hundred steps": (RESNET, sgd(), lambda o: lr.StepLR(o, 100, 0.95), 100, "step", 100),
    "ImageNet": (RESNET, sgd(weight_decay=1e-4), lambda o: lr.StepLR(o, 30, 0.1), 90, "epoch", 5005),
    "PyTorch's MNIST example": (MLP, lambda m: Adadelta(m.parameters(), lr=1.0), lambda o: lr.StepLR(o, 1, 0.7), 14, "epoch", 938),
    "transformer": (VIT, lambda m: Adam(m.parameters(), lr=7e-4, betas=(0.9, 0.98), eps=1e-9), inverse_square_root(4000), 20, "step", 5000),
    "short transformer": (VIT, adamw(7e-4, betas=(0.9, 0.98)), inverse_square_root(4000), 2, "step", 5000),
    "constant with warm-up": (VIT, adamw(2e-5), lambda o: lr.LambdaLR(o, lambda s: min(1.0, (s + 1) / 100)), 3, "step", 1000),
    "weight averaging": (RESNET, sgd(), lambda o: SWALR(o, 0.05, 10), 100, "epoch", 391),
    "weight averaging at a higher rate": (RESNET, sgd(1e-3), lambda o: SWALR(o, 0.05, 10), 40, "epoch", 391),
    "cosine, then averaging": (
        RESNET,
        sgd(),
        lambda o: lr.SequentialLR(o, [lr.CosineAnnealingLR(o, 75), SWALR(o, 0.05, 5)], [75]),
        100,
        "epoch",
        391,
    ),
    "fine-tuning": (VIT, adamw(1e-5), lambda o: lr.LinearLR(o, 1.0, 0.0, 3000), 3, "step", 1000),
    "fine-tuning in three epochs": (VIT, adamw(1e-5), lambda o: lr.LinearLR(o, 1.0, 0.0, 3), 3, "epoch", 1000),
    "cosine over three epochs": (VIT, adamw(1e-5), lambda o: lr.CosineAnnealingLR(o, 3), 3, "epoch", 1000),
    "frozen group first": (VIT, groups_with_frozen_first, lambda o: lr.CosineAnnealingLR(o, 10), 10, "epoch", 100),
    "layer-wise rates": (RESNET, layer_wise, lambda o: lr.CosineAnnealingLR(o, 10), 10, "epoch", 100),
    "timm": (VIT, adamw(), lambda o: TimmLike(o, 100), 100, "epoch", 391),
    "two optimizers": (MLP, lambda m: [Adam([p], lr=2e-4, betas=(0.5, 0.999)) for p in m.parameters()], without, 25, "epoch", 500),
    "Wasserstein GAN": (MLP, lambda m: RMSprop(m.parameters(), lr=5e-5), without, 100, "epoch", 500),
    "Lion": (VIT, lambda m: Lion(m.parameters(), lr=1e-4, betas=(0.95, 0.98), weight_decay=1.0), lambda o: lr.CosineAnnealingLR(o, 90), 90, "epoch", 391),
    "Adan": (VIT, lambda m: Adan(m.parameters(), lr=1e-3, betas=(0.98, 0.92)), lambda o: lr.CosineAnnealingLR(o, 90), 90, "epoch", 391),
    "Muon": (RESNET, lambda m: Muon(m.parameters(), lr=0.02, momentum=0.95), lambda o: lr.LinearLR(o, 1.0, 0.0, 200), 8, "step", 25),
    "schedule-free": (RESNET, lambda m: AdamWScheduleFree(m.parameters(), lr=3e-3), without, 100, "epoch", 391),
    "LBFGS": (RESNET, lambda m: torch.optim.LBFGS(m.parameters()), without, 50, "epoch", 1),
    "L2 as in graph nets": (MLP, lambda m: Adam(m.parameters(), lr=0.01, weight_decay=5e-4), without, 200, "epoch", 1),
    "L2 as in DARTS": (RESNET, lambda m: Adam(m.parameters(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3), without, 50, "epoch", 391),
    "Adam with the flag": (RESNET, lambda m: Adam([{"params": [*m.parameters()], "decoupled_weight_decay": True}], weight_decay=0.05), without, 10, "epoch", 391),
    "radiance field": (MLP, lambda m: Adam(m.parameters(), lr=1e-2, eps=1e-15), lambda o: lr.ExponentialLR(o, 0.99), 300, "epoch", 100),
    "StyleGAN": (RESNET, lambda m: Adam(m.parameters(), lr=2e-3, betas=(0.0, 0.99)), without, 100, "epoch", 391),
    "a milestone at the end of a short run": (MLP, adamw(), lambda o: lr.MultiStepLR(o, [4]), 4, "epoch", 391),
}  # fmt: skip

BY_TRACE = (
    schedule_checks.decays_too_early,
    schedule_checks.restarts_at_end,
    schedule_checks.warmup_stuck,
    scheduler_checks.step_unit,
    scheduler_checks.zero_rate,
)
BY_GROUPS = (schedule_checks.missing, schedule_checks.never_decays, schedule_checks.ends_high)


def said(recipe: Recipe) -> list[Finding]:
    net, build, schedule, epochs, interval, steps = recipe
    model = nn.Linear(2, 2)
    optimizer = build(model)
    scheduler = schedule(optimizer)
    held = optimizers(optimizer)
    groups = parameter_groups(held, model)
    trace = schedule_trace(optimizer, epochs, interval, scheduler, Loader(steps))
    findings = [f for c in BY_TRACE for f in c(trace)]
    findings += [f for c in BY_GROUPS for f in c(trace, groups, net)]
    findings += optimizer_checks.no_momentum(groups, net, FRESH)
    findings += [
        f for c in (optimizer_checks.coupled_decay, optimizer_checks.epsilon, optimizer_checks.betas) for f in c(groups)
    ]
    if scheduler is not None:
        findings += scheduler_checks.wrong_optimizer(scheduler_bindings(held, schedulers(scheduler)))
    return [f for f in findings if isinstance(f, Finding)]


@pytest.mark.parametrize("name", HEALTHY)
def test_no_warning(name: str) -> None:
    assert [(f.code, f.message) for f in said(HEALTHY[name]) if f.severity is not Severity.INFO] == []


SICK: dict[str, tuple[str, Recipe]] = {
    "no schedule": ("no scheduler", (RESNET, sgd(), without, 164, "epoch", 391)),
    "warm-up, then constant": ("leaves the rate", (RESNET, sgd(), lambda o: lr.LinearLR(o, 0.1, 1.0, 5), 164, "epoch", 391)),
    "milestones after the end": ("leaves the rate", (VIT, adamw(), lambda o: lr.MultiStepLR(o, [200]), 100, "epoch", 391)),
    "a milestone at the end of a long run": ("leaves the rate", (RESNET, sgd(), lambda o: lr.MultiStepLR(o, [164]), 164, "epoch", 391)),
    "step after the end": ("leaves the rate", (MLP, adamw(), lambda o: lr.StepLR(o, 30), 20, "epoch", 391)),
    "cosine cut short, Adam": ("is cut off", (VIT, adamw(), lambda o: lr.CosineAnnealingLR(o, 200), 100, "epoch", 391)),
    "restarts that end high": ("when the run ends", (RESNET, sgd(), lambda o: lr.CosineAnnealingWarmRestarts(o, 10, 2), 95, "epoch", 391)),
    "momentum 0.99 at 0.1": ("momentum is 0.99", (RESNET, sgd(momentum=0.99), lambda o: lr.CosineAnnealingLR(o, 90), 90, "epoch", 391)),
    "L2 of AdamW's size": ("to the gradient", (RESNET, lambda m: Adam(m.parameters(), weight_decay=1e-2), without, 10, "epoch", 391)),
    "no epsilon": ("eps is 0", (RESNET, lambda m: Adam(m.parameters(), eps=0.0), without, 10, "epoch", 391)),
    "one group's rate is all there is": ("rate is zero", (RESNET, sgd(0.0), without, 10, "epoch", 391)),
}  # fmt: skip


@pytest.mark.parametrize("name", SICK)
def test_warning(name: str) -> None:
    words, recipe = SICK[name]
    loud = [f for f in said(recipe) if f.severity is not Severity.INFO]
    assert [words in f.message for f in loud] == [True]


def test_a_rate_that_the_optimizer_sets_is_not_judged() -> None:
    optimizer = SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    optimizer.param_groups[0]["lr"] = None
    assert parameter_groups(optimizers(optimizer), None)[0].lr != parameter_groups(optimizers(optimizer), None)[0].lr
    with pytest.raises(Unavailable, match="sets its own"):
        schedule_trace(optimizer, 10, "epoch", None, Loader(10))


def trace_of(build: Callable[[nn.Module], Optimizer]) -> ScheduleTrace:
    optimizer = build(nn.Linear(2, 2))
    trace: ScheduleTrace = schedule_trace(optimizer, 10, "epoch", lr.CosineAnnealingLR(optimizer, 10), Loader(10))
    return trace


def test_the_leading_group_is_followed() -> None:
    assert (trace_of(groups_with_frozen_first).group, trace_of(groups_with_frozen_first).peak) == (1, 1e-3)
    assert (trace_of(layer_wise).group, trace_of(layer_wise).peak) == (1, 1e-3)


class Wrapper:
    """Shares its groups with the optimizer that it wraps, as SAM and accelerate do."""

    def __init__(self, inner: Optimizer) -> None:
        self.inner, self.param_groups, self.defaults = inner, inner.param_groups, inner.defaults


def test_a_wrapped_optimizer_is_the_same_optimizer() -> None:
    inner = SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    scheduler = lr.CosineAnnealingLR(inner, 10)
    wrapper = Wrapper(inner)
    assert scheduler_bindings((wrapper,), (scheduler,))[0].bound
    assert schedule_trace(wrapper, 10, "epoch", scheduler, Loader(10)).final < 0.01


def test_a_second_scheduler_of_an_unnamed_optimizer_is_no_fault() -> None:
    mine, other = (SGD(nn.Linear(2, 2).parameters(), lr=0.1) for _ in range(2))
    bindings = scheduler_bindings((mine,), (lr.StepLR(mine, 1), lr.StepLR(other, 1)))
    assert [f.severity for f in scheduler_checks.wrong_optimizer(bindings) if isinstance(f, Finding)] == [Severity.INFO]


def test_a_head_only_optimizer_informs_on_a_trained_backbone() -> None:
    from trainingdoctor.measure.optimizers import ownership

    model = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 2))
    owned = ownership(model, (SGD(model[1].parameters(), lr=0.1),), None)
    assert [f.severity for f in optimizer_checks.missing_parameters(owned, TRAINED)] == [Severity.INFO]
    assert [f.severity for f in optimizer_checks.missing_parameters(owned, FRESH)] == [Severity.CRITICAL]
