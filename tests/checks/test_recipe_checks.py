"""Schedule, optimizer, weight decay, BatchNorm and dropout checks on handmade evidence."""

from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.batches import BatchSize
from trainingdoctor.measure.batchnorm import BatchNormLayer, BatchNormLayers, RunningStatistics
from trainingdoctor.measure.decay import Decay
from trainingdoctor.measure.layers import Architecture, DropoutLayer
from trainingdoctor.measure.one_step import Activation, OneStep
from trainingdoctor.measure.optimizers import Group, Ownership, SchedulerBinding
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.run_length import RunLength
from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import batchnorm, optimizer, regularization, schedule, scheduler, weight_decay

RESNET = Architecture("ResNet", 109, 1, 0, 0, 109, 109, 0, 1_727_962)
MLP = Architecture("MLP", 0, 3, 0, 0, 0, 0, 0, 100_000)
SGD = Group("optimizer.param_groups[0]", "SGD", 0.1, 0.1, 1e-4, 0.9, False, None, None, 1000, 100)
ADAM = replace(
    SGD, optimizer="Adam", lr=1e-3, base_lr=1e-3, momentum=None, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
)
OWNED = Ownership(1000, 1000, (), 0, 0, 0, (), (), 0, False)
STEPS = tuple(0.1 * 0.1 ** ((e >= 80) + (e >= 121)) for e in range(164))
TRACE = ScheduleTrace(STEPS, "epoch", 164, 391, "MultiStepLR", False, 121)
CONSTANT = replace(TRACE, rates=(0.1,) * 164, scheduler=None, horizon=None)
DECAY = Decay("SGD", False, "optimizer", 1e-4, 0.1, 10_000, 3.6, 391, 164, 50_000, 0, 0.0)
LAYER = BatchNormLayer("bn1", 16, 0.1, 1e-5, True, True, True, True, True, 0)
RUN = RunLength(164, 391, 50_000)
FRESH = Pretraining(109, 0)


def norms(**changes: Any) -> BatchNormLayers:
    return BatchNormLayers((replace(LAYER, **changes),), True)


SICK = [
    (schedule.missing, (CONSTANT, (SGD,), RESNET), "warning"),
    (schedule.missing, (CONSTANT, (ADAM,), RESNET), "info"),
    (schedule.never_decays, (replace(CONSTANT, scheduler="MultiStepLR", horizon=300), (SGD,), RESNET), "warning"),
    (schedule.decays_too_early, (replace(TRACE, rates=(0.1,) * 15 + (1e-4,) * 149),), "warning"),
    (
        schedule.decays_too_early,
        (replace(TRACE, rates=(0.1,) * 3 + (0.01,) * 3 + (0.1 * 0.1 * 0.1,) * 158),),
        "warning",
    ),
    (
        schedule.ends_high,
        (replace(TRACE, rates=tuple(0.1 - 0.0003 * e for e in range(164)), horizon=300), (SGD,), RESNET),
        "warning",
    ),
    (schedule.restarts_at_end, (replace(TRACE, rates=(0.1,) * 80 + (0.001,) * 60 + (0.05,) * 24),), "warning"),
    # Back at its peak, and a little above it, as floats round.
    (schedule.restarts_at_end, (replace(TRACE, rates=(0.1,) * 80 + (0.001,) * 60 + (0.1 + 1e-12,) * 24),), "warning"),
    (schedule.warmup_stuck, (replace(TRACE, rates=tuple(0.001 * e for e in range(1, 165))),), "warning"),
    (scheduler.step_unit, (replace(CONSTANT, scheduler="MultiStepLR", horizon=48_000),), "warning"),
    (scheduler.step_unit, (replace(TRACE, error="scheduler.step() raised ValueError", failed_at=100),), "critical"),
    (scheduler.zero_rate, (replace(TRACE, rates=(0.0,) * 164),), "critical"),
    (scheduler.zero_rate, (replace(TRACE, rates=(0.1,) * 163 + (-0.1,)),), "critical"),
    (scheduler.wrong_optimizer, ((SchedulerBinding("MultiStepLR", False, 0.1, 0.1, 0.1, False),),), "critical"),
    (
        scheduler.overridden,
        (
            (SchedulerBinding("MultiStepLR", True, 0.1, 0.1, 0.01, False),),
            replace(TRACE, rates=tuple(r / 10 for r in STEPS)),
        ),
        "warning",
    ),
    (optimizer.missing_parameters, (replace(OWNED, missing=("fc.weight",), missing_count=10), FRESH), "warning"),
    (optimizer.missing_parameters, (replace(OWNED, missing=("conv.weight",), missing_count=900), FRESH), "critical"),
    (
        optimizer.stale_parameters,
        (replace(OWNED, missing=("a",), missing_count=1000, foreign=1000, foreign_tensors=3),),
        "critical",
    ),
    (optimizer.duplicated, (replace(OWNED, duplicated=("fc.weight",)),), "warning"),
    (optimizer.no_momentum, ((replace(SGD, momentum=0.0),), RESNET, FRESH), "warning"),
    # Momentum and weight decay were mixed up.
    (optimizer.no_momentum, ((replace(SGD, momentum=5e-4),), RESNET, FRESH), "warning"),
    (optimizer.no_momentum, ((replace(SGD, momentum=0.0),), MLP, FRESH), "info"),
    (optimizer.adam_on_sgd_recipe, ((ADAM,), RESNET, DECAY), "info"),
    (optimizer.coupled_decay, ((replace(ADAM, weight_decay=1e-2),),), "warning"),
    (optimizer.coupled_decay, ((replace(ADAM, weight_decay=1e-5),),), "info"),
    (optimizer.epsilon, ((replace(ADAM, eps=0.1),),), "warning"),
    (optimizer.betas, ((replace(SGD, momentum=0.999),),), "warning"),
    (optimizer.betas, ((replace(ADAM, betas=(0.9, 0.5)),),), "warning"),
    (optimizer.negative, ((replace(SGD, lr=-0.1),), ()), "critical"),
    (weight_decay.missing, (replace(DECAY, strongest=0.0, forgets_in_steps=None), RESNET, FRESH), "warning"),
    (weight_decay.missing, (replace(DECAY, strongest=0.0, epochs=5, forgets_in_steps=None), RESNET, FRESH), "info"),
    (weight_decay.too_strong, (replace(DECAY, strongest=0.1, forgets_in_steps=10),), "critical"),
    (weight_decay.too_weak, (replace(DECAY, strongest=1e-7, total=0.0036), RESNET, FRESH), "warning"),
    (weight_decay.on_norm_and_bias, ((SGD,),), "info"),
    (batchnorm.momentum, (norms(momentum=0.99), RUN), "warning"),
    (batchnorm.momentum, (norms(momentum=0.7), RUN), "info"),
    (batchnorm.momentum, (norms(momentum=0.0), RUN), "critical"),
    (batchnorm.momentum, (norms(momentum=1e-6), RUN), "warning"),
    (batchnorm.eval_in_training, (norms(training=False),), "critical"),
    (batchnorm.eval_in_training, (norms(training=False, updates=100),), "info"),
    (batchnorm.eval_in_training, (norms(given_training=False),), "warning"),
    (batchnorm.untracked, (norms(tracked=False),), "warning"),
    (batchnorm.frozen_affine, (norms(affine=False),), "info"),
    (batchnorm.small_batch, (norms(), BatchSize(4)), "warning"),
    (batchnorm.small_batch, (norms(), BatchSize(12)), "info"),
    (batchnorm.statistics_stale, (RunningStatistics(2.0, 0.5, 40.0, 85.0, 0.6, "bn1"),), "warning"),
    (regularization.too_high, ((DropoutLayer("drop", "Dropout", 0.8, False),),), "warning"),
    (regularization.too_high, ((DropoutLayer("drop", "Dropout", 0.99, False),),), "critical"),
    (regularization.in_eval, ((DropoutLayer("drop", "Dropout", 0.5, True),),), "warning"),
    (regularization.too_few, (RunLength(3, 391, 50_000), RESNET, FRESH), "warning"),
    (regularization.too_many, (RunLength(5000, 391, 50_000),), "info"),
]

HEALTHY = [
    (schedule.missing, (TRACE, (SGD,), RESNET)),
    *((c, (TRACE,)) for c in (schedule.decays_too_early, schedule.restarts_at_end)),
    (schedule.decays_too_early, (replace(TRACE, rates=(0.1,) * 15 + (0.01,) * 15 + (0.001,) * 134),)),
    *((c, (TRACE, (SGD,), RESNET)) for c in (schedule.never_decays, schedule.ends_high)),
    *((c, (TRACE,)) for c in (schedule.warmup_stuck, scheduler.step_unit, scheduler.zero_rate)),
    (scheduler.wrong_optimizer, ((SchedulerBinding("MultiStepLR", True, 0.1, 0.1, 0.1, False),),)),
    (scheduler.overridden, ((SchedulerBinding("MultiStepLR", True, 0.1, 0.1, 0.1, False),), TRACE)),
    *((c, (OWNED,)) for c in (optimizer.stale_parameters, optimizer.duplicated)),
    (optimizer.missing_parameters, (OWNED, FRESH)),
    (optimizer.no_momentum, ((SGD,), RESNET, FRESH)),
    (optimizer.no_momentum, ((replace(SGD, momentum=0.5),), RESNET, FRESH)),
    (optimizer.adam_on_sgd_recipe, ((SGD,), RESNET, DECAY)),
    (optimizer.adam_on_sgd_recipe, ((ADAM,), RESNET, replace(DECAY, classifies=False))),
    (optimizer.adam_on_sgd_recipe, ((ADAM,), replace(RESNET, sequences=109), DECAY)),
    *((c, ((ADAM,),)) for c in (optimizer.coupled_decay, optimizer.epsilon, optimizer.betas)),
    (optimizer.epsilon, ((replace(ADAM, eps=1e-4),),)),
    (optimizer.negative, ((SGD,), ())),
    (weight_decay.missing, (DECAY, RESNET, FRESH)),
    (weight_decay.too_strong, (DECAY,)),
    (weight_decay.too_strong, (replace(DECAY, strongest=5e-4, forgets_in_steps=2000),)),
    (weight_decay.too_weak, (DECAY, RESNET, FRESH)),
    (weight_decay.on_norm_and_bias, ((replace(SGD, norms_and_biases=0),),)),
    (batchnorm.momentum, (norms(momentum=0.6), RUN)),
    (batchnorm.momentum, (norms(momentum=0.01), RUN)),
    (batchnorm.momentum, (norms(momentum=0.1), RunLength(1, 5, 160))),
    (batchnorm.eval_in_training, (norms(),)),
    (batchnorm.untracked, (norms(),)),
    (batchnorm.frozen_affine, (norms(),)),
    (batchnorm.small_batch, (norms(), BatchSize(32))),
    (batchnorm.statistics_stale, (RunningStatistics(0.5, 0.5, 85.0, 85.0, 0.05, "bn1"),)),
    (regularization.too_high, ((DropoutLayer("drop", "Dropout", 0.5, False),),)),
    (regularization.in_eval, ((DropoutLayer("drop", "Dropout", 0.5, False),),)),
    (regularization.too_few, (RUN, RESNET, FRESH)),
    (regularization.too_many, (RUN,)),
]


@pytest.mark.parametrize(("check", "evidence", "severity"), SICK, ids=lambda v: getattr(v, "code", None))
def test_sick(check: Any, evidence: tuple[Any, ...], severity: str) -> None:
    assert_unwell(check, *evidence, severity=severity)


@pytest.mark.parametrize(("check", "evidence"), HEALTHY, ids=lambda v: getattr(v, "code", None))
def test_healthy(check: Any, evidence: tuple[Any, ...]) -> None:
    assert_healthy(check, *evidence)


def findings(check: Any, *evidence: Any) -> list[Finding]:
    return [f for f in check(*evidence) if isinstance(f, Finding)]


TRAINED = Pretraining(109, 109)
NO_DECAY = replace(DECAY, strongest=0.0, forgets_in_steps=None)
TUNED = [
    (weight_decay.missing, (NO_DECAY, RESNET, TRAINED)),
    (weight_decay.missing, (replace(NO_DECAY, classifies=False), RESNET, FRESH)),
    (weight_decay.too_weak, (replace(DECAY, strongest=1e-7, total=0.0036), RESNET, TRAINED)),
    (weight_decay.too_weak, (replace(DECAY, total=0.05), RESNET, FRESH)),
    (optimizer.no_momentum, ((replace(SGD, momentum=0.0),), RESNET, TRAINED)),
    (regularization.too_few, (RunLength(3, 391, 50_000), RESNET, TRAINED)),
]


@pytest.mark.parametrize(("check", "evidence"), TUNED, ids=lambda v: getattr(v, "code", None))
def test_fine_tuning_restoration_and_short_runs_get_no_warning(check: Any, evidence: tuple[Any, ...]) -> None:
    assert [f for f in findings(check, *evidence) if f.severity != "info"] == []


def activation(name: str, kind: str, *shape: int) -> Activation:
    return Activation(name, kind, shape, 0.0, 1.0, True)


def step_through(*order: Activation) -> OneStep:
    return OneStep(2.3, 32, order, (), 1.0, False, None)


HALF = (DropoutLayer("drop", "Dropout", 0.5, False),)
CLASSIFIER = (activation("drop", "Dropout", 32, 512), activation("bn", "BatchNorm1d", 32, 512))
MAPS = (activation("drop", "Dropout", 32, 16, 8, 8), activation("bn", "BatchNorm2d", 32, 16, 8, 8))


def test_dropout_between_convolutions_warns_and_in_the_classifier_informs() -> None:
    on_maps = findings(regularization.before_batchnorm, step_through(*MAPS), HALF)
    in_classifier = findings(regularization.before_batchnorm, step_through(*CLASSIFIER), HALF)
    pool = activation("pool", "MaxPool2d", 32, 16, 8, 8)
    behind_pooling = findings(regularization.before_batchnorm, step_through(pool, *MAPS), HALF)
    assert [f.severity for f in (*on_maps, *in_classifier, *behind_pooling)] == ["warning", "info", "info"]


def test_a_usual_decay_that_forgets_too_fast_points_to_the_rate() -> None:
    found = assert_unwell(weight_decay.too_strong, replace(DECAY, strongest=1e-4, rate=20.0, forgets_in_steps=50))
    assert found.remedy.startswith("lr=0.5, or weight_decay=3e-06")
