"""Checks of the loop on handmade traces."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from trainingdoctor.measure import schedule as schedules
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.observing.seen import (
    AccuracySeen,
    ClipSeen,
    LoaderSeen,
    OptimizerSeen,
    PassSeen,
    SchedulerSeen,
    SlicesSeen,
    StepSeen,
)
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import (
    loop,
    loop_gradients,
    loop_models,
    loop_modes,
    loop_order,
    loop_passes,
    metric,
    scheduler,
)

FRESH, TRAINED = Pretraining(10, 0), Pretraining(10, 10)
STEP = StepSeen(optimizer=0, epoch=1, backwards=1, cleared=True, gradients=True, rate=0.1, loss=2.3, criterion=2.3)
FIRST = tuple(replace(STEP, cleared=None if i == 0 else True) for i in range(10))
SECOND = tuple(replace(STEP, epoch=2) for _ in range(4))
TRAIN = PassSeen("training", 0, 10, train_mode=10, eval_mode=0, with_gradient=10, where="train.py:20")
EVAL = PassSeen("evaluation", 1, 5, train_mode=0, eval_mode=5, with_gradient=0, where="train.py:30")
SGD = OptimizerSeen("SGD", 0, stateful=True, adaptive=False, first_epoch=1, steps=14)
COSINE = SchedulerSeen("CosineAnnealingLR", ticks=2, early=0, within=0, end=60)
ACCURATE = AccuracySeen("acc 0.75", counted=75.0, samples=500, off=0.0, where="train.py:40")
HEALTHY = LoopTrace(
    steps=FIRST + SECOND,
    passes=(TRAIN, EVAL, TRAIN, EVAL),
    loaders=(LoaderSeen(0, True, 391, "CIFAR10"), LoaderSeen(1, False, 100, "CIFAR10")),
    optimizers=(SGD,),
    schedulers=(COSINE,),
    sensitive=True,
    backwards=14,
    built=1,
    epochs=60,
    backward_at="train.py:24",
    accuracy=ACCURATE,
)


def steps(**changes: Any) -> LoopTrace:
    return replace(HEALTHY, steps=tuple(replace(s, **changes) for s in HEALTHY.steps))


def evaluation(**changes: Any) -> LoopTrace:
    seen = replace(EVAL, **changes)
    return replace(HEALTHY, passes=(TRAIN, seen, TRAIN, seen))


def schedule(each: int, end: int = 60, epochs: int = 60) -> ScheduleTrace:
    """A cosine that is called so often per epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, end)
    return schedules.trace(optimizer, cosine, epochs, 391, "epoch", each)


ACCUMULATED = steps(backwards=4, batches=4)
SECOND_IN_EVAL = replace(HEALTHY, steps=FIRST + tuple(replace(s, training=False) for s in SECOND))
NO_STEPS = replace(HEALTHY, steps=(), optimizers=(), backwards=60)
SAME_DATA = replace(HEALTHY, loaders=(HEALTHY.loaders[0], replace(HEALTHY.loaders[1], dataset=0)))
SWAPPED = replace(HEALTHY, loaders=HEALTHY.loaders[::-1])
RENEWED = replace(HEALTHY, optimizers=(SGD, replace(SGD, first_epoch=2)))
TWICE = replace(HEALTHY, schedulers=(replace(COSINE, each=2),))
LOST = steps(backwards=4, batches=4, lost=3)
LEFT = replace(HEALTHY, passes=(replace(TRAIN, left=True), EVAL, replace(TRAIN, left=True), EVAL), epochs=30)
PLATEAU = SchedulerSeen("ReduceLROnPlateau", ticks=2, early=0, within=0, told="loss", mode="min")
RESET = replace(HEALTHY, steps=(*FIRST, replace(SECOND[0], overwritten=1.4), *SECOND[1:]))

SICK: list[tuple[Any, tuple[Any, ...], str]] = [
    (loop.zero_grad_missing, (steps(cleared=False),), "critical"),
    (loop.zero_grad_missing, (replace(HEALTHY, steps=steps(cleared=False).steps[:3]),), "critical"),
    (metric.wrong, (replace(HEALTHY, accuracy=replace(ACCURATE, off=30.0)),), "warning"),
    (loop.step_missing, (NO_STEPS,), "critical"),
    (loop.backward_missing, (replace(steps(gradients=False, backwards=0), backwards=0),), "critical"),
    (loop.detached, (steps(gradients=False),), "critical"),
    (loop_modes.eval_mode_in_training, (SECOND_IN_EVAL, FRESH), "critical"),
    (loop_modes.eval_mode_in_training, (SECOND_IN_EVAL, TRAINED), "critical"),
    (loop_modes.eval_mode_in_training, (steps(training=False), FRESH), "critical"),
    # A pretrained model may keep its statistics on purpose.
    (loop_modes.eval_mode_in_training, (steps(training=False), TRAINED), "info"),
    (loop_modes.train_mode_in_evaluation, (evaluation(train_mode=5, eval_mode=0),), "critical"),
    (loop_modes.grad_in_evaluation, (evaluation(with_gradient=5),), "warning"),
    (loop.graph_accumulated, (replace(HEALTHY, passes=(replace(TRAIN, graphs_kept=7), EVAL)),), "warning"),
    (loop.accumulation_not_divided, (ACCUMULATED,), "warning"),
    (
        loop.accumulation_not_divided,
        (replace(ACCUMULATED, optimizers=(replace(SGD, name="Adam", adaptive=True),)),),
        "info",
    ),
    (loop.inplace_weights, (RESET,), "warning"),
    # WGAN clips its weights after each step.
    (loop.inplace_weights, (steps(overwritten=0.01),), "info"),
    # A checkpoint of the beginning is loaded in each epoch: so far the weights have hardly moved.
    (loop.inplace_weights, (replace(RESET, steps=(*FIRST, replace(SECOND[0], overwritten=0.01, returned=True))),), "warning"),
    (loop_gradients.gradients_lost, (steps(lost=1, empty=True),), "critical"),
    # A slow training, of which one step was seen.
    (loop_gradients.gradients_lost, (replace(HEALTHY, steps=(replace(HEALTHY.steps[0], lost=1, empty=True),)),), "warning"),
    (loop_gradients.gradients_lost, (LOST,), "critical"),
    (loop_gradients.scaler_bypassed, (steps(scaled=True),), "critical"),
    (loop_gradients.scaler_bypassed, (replace(steps(scaled=True), optimizers=(replace(SGD, adaptive=True),)),), "info"),
    (loop_models.average_statistics, (replace(HEALTHY, unfed=9),), "critical"),
    (loop_passes.epoch_cut, (LEFT,), "warning"),
    # Epochs of so many steps: all of them are several passes.
    (loop_passes.epoch_cut, (replace(LEFT, epochs=200),), "info"),
    (loop_passes.reseeded, (replace(HEALTHY, reseeded=1),), "warning"),
    (loop_passes.same_slice, (replace(HEALTHY, slices=SlicesSeen(40, 1, 62, 0)),), "warning"),
    (loop_passes.targets_unmixed, (replace(HEALTHY, unmixed=(0.1, 0.4, 0.8)),), "warning"),
    (loop_passes.data_overwritten, (replace(HEALTHY, slices=SlicesSeen(40, 40, 62, 39)),), "critical"),
    (scheduler.plateau_mode, (replace(HEALTHY, schedulers=(replace(PLATEAU, mode="max"),)),), "critical"),
    (scheduler.plateau_mode, (replace(HEALTHY, schedulers=(replace(PLATEAU, told="accuracy"),)),), "critical"),
    (loop.before_unscale, (replace(HEALTHY, clips=(ClipSeen(1.0, 9e4, scaled=True),)),), "critical"),
    (loop_order.trains_on_evaluation_data, (SWAPPED,), "critical"),
    (loop_order.targets_reordered, (replace(HEALTHY, reordered=3),), "critical"),
    (loop_order.evaluates_on_training_data, (SAME_DATA,), "warning"),
    (loop_order.best_checkpoint_on_test, (replace(HEALTHY, saves_best="train.py:40"),), "info"),
    (loop_order.scheduler_never_stepped, (replace(HEALTHY, schedulers=(replace(COSINE, ticks=0),)),), "warning"),
    # A warm-up of its own is stepped first.
    (loop_order.scheduler_never_stepped, (replace(HEALTHY, schedulers=(COSINE, replace(COSINE, ticks=0))),), "info"),
    (loop_order.scheduler_never_stepped, (replace(HEALTHY, schedulers=(replace(COSINE, ticks=0),), stepped_later="if epoch > 9"),), "info"),
    (loop_order.scheduler_never_stepped, (replace(HEALTHY, schedulers=(replace(COSINE, ticks=0),), rate_by_hand="train.py:9"),), "info"),
    (loop_order.scheduler_every_batch, (replace(HEALTHY, schedulers=(replace(COSINE, ticks=14, within=12),)),), "critical"),
    (loop_order.scheduler_twice, (TWICE, schedule(2)), "warning"),
    # Built for two calls.
    (loop_order.scheduler_twice, (replace(TWICE, schedulers=(replace(COSINE, each=2, end=120),)), schedule(2, 120)), "info"),
    (loop_order.step_order, (replace(HEALTHY, schedulers=(replace(COSINE, early=1),)),), "info"),
    (loop_order.state_lost, (RENEWED,), "warning"),
    (loop_order.state_lost, (replace(RENEWED, optimizers=tuple(replace(o, stateful=False) for o in RENEWED.optimizers)),), "info"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "evidence", "severity"), SICK, ids=lambda v: getattr(v, "code", None))
def test_sick(check: Any, evidence: tuple[Any, ...], severity: str) -> None:
    assert_unwell(check, *evidence, severity=severity)


AREAS = (loop, loop_gradients, loop_order, loop_passes, metric)


@pytest.mark.parametrize("check", [check for area in AREAS for check in area.CHECKS], ids=lambda c: c.code)
def test_healthy(check: Any) -> None:
    known = {"loop_trace": HEALTHY, "pretraining": FRESH, "schedule_trace": schedule(1)}
    assert_healthy(check, *(known[name] for name in check.needs))


PECULIAR: list[tuple[Any, LoopTrace]] = [
    # The test comes behind the loop.
    (loop_order.evaluates_on_training_data, replace(SAME_DATA, evaluates_later="train.py:50")),
    # Gradients of a GAN's other half, and of SAM's first pass over the same batch, are cleared.
    (loop_gradients.gradients_lost, replace(LOST, steps=(*LOST.steps, *steps(optimizer=1).steps))),
    (loop_gradients.gradients_lost, steps(backwards=2, batches=1, lost=1)),
    # Of two steps one is a GAN's other half.
    (
        loop_gradients.gradients_lost,
        replace(HEALTHY, steps=(replace(HEALTHY.steps[0], lost=1, empty=True), replace(HEALTHY.steps[0], optimizer=1))),
    ),
    # Per-sample gradients are taken away, and put back as their sum.
    (loop_gradients.gradients_lost, steps(backwards=8, batches=1, lost=8)),
    (loop.detached, steps(gradients=False, lost=1, empty=True)),
    # The usual slices, and a buffer that is filled for each step.
    (loop_passes.data_overwritten, replace(HEALTHY, slices=SlicesSeen(40, 40, 62, 1))),
    (loop_passes.data_overwritten, replace(HEALTHY, slices=SlicesSeen(40, 1, 2, 39))),
    (loop_passes.same_slice, replace(HEALTHY, slices=SlicesSeen(40, 40, 62, 0))),
    # SamplePairing.
    (loop_passes.targets_unmixed, replace(HEALTHY, unmixed=(0.5,) * 12)),
    # The training part of a split, cut in each step.
    (loop_passes.same_slice, replace(HEALTHY, slices=SlicesSeen(40, 1, 2, 0))),
    # The last pass that was watched.
    (loop_passes.epoch_cut, replace(HEALTHY, passes=(TRAIN, EVAL, replace(TRAIN, left=True)))),
    (scheduler.plateau_mode, replace(HEALTHY, schedulers=(PLATEAU, replace(PLATEAU, told="accuracy", mode="max")))),
    # Accumulation of four batches, divided.
    (loop.accumulation_not_divided, steps(backwards=4, batches=4, loss=0.575)),
    # Two losses of one batch, each with a backward() of its own.
    (loop.accumulation_not_divided, steps(backwards=2, batches=1)),
    (loop.zero_grad_missing, ACCUMULATED),
    # update_bn() of torch's SWA goes through the training data in train mode without gradients.
    (loop_modes.train_mode_in_evaluation, evaluation(loader=0, train_mode=5, eval_mode=0)),
    (loop_modes.train_mode_in_evaluation, replace(evaluation(train_mode=5, eval_mode=0), sensitive=False)),
    # The optimizer has not come to its first step yet.
    (loop.step_missing, replace(NO_STEPS, backwards=16)),
    (loop.step_missing, replace(NO_STEPS, built=0)),
    # A one-cycle schedule over the whole run.
    (
        loop_order.scheduler_every_batch,
        replace(HEALTHY, schedulers=(SchedulerSeen("OneCycleLR", 14, 0, 12, end=60 * 391),)),
    ),
    # Rounding, and too few samples to tell.
    (metric.wrong, replace(HEALTHY, accuracy=replace(ACCURATE, off=1.0))),
    (metric.wrong, replace(HEALTHY, accuracy=replace(ACCURATE, off=30.0, samples=50))),
    # A second optimizer over other parameters that begins later.
    (
        loop_order.state_lost,
        replace(HEALTHY, optimizers=(SGD, replace(SGD, parameters=1, first_epoch=2))),
    ),
]


@pytest.mark.parametrize(("check", "trace"), PECULIAR, ids=lambda v: getattr(v, "code", None))
def test_peculiar_and_healthy(check: Any, trace: LoopTrace) -> None:
    assert_healthy(check, trace)
