"""Data, model, loss, initialization and learning-rate checks on handmade evidence."""

from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor.measure.augmentation import AugmentationPairs
from trainingdoctor.measure.balance import Balance
from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.dataset import DatasetFacts
from trainingdoctor.measure.images import ChannelStatistics, InputHealth
from trainingdoctor.measure.layers import Architecture
from trainingdoctor.measure.lengths import LoaderLengths
from trainingdoctor.measure.loading_speed import LoadingSpeed
from trainingdoctor.measure.one_step import Activation, OneStep
from trainingdoctor.measure.optimizers import ClipLimit, Group
from trainingdoctor.measure.order import Order
from trainingdoctor.measure.outputs import Outputs
from trainingdoctor.measure.overfit import Overfit
from trainingdoctor.measure.parameter_step import ParameterStep
from trainingdoctor.measure.parameters import Trainable
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.rate_search import Trial
from trainingdoctor.measure.reference_init import ReferenceInit
from trainingdoctor.measure.run_length import RunLength
from trainingdoctor.measure.targets import Targets
from trainingdoctor.measure.trials import RateTrials
from trainingdoctor.measure.workers import WorkerDraws
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks import (
    augmentation,
    data,
    initialization,
    labels,
    learning,
    learning_rate,
    loader,
    loss,
    loss_targets,
    model,
    normalization,
)

RESNET = Architecture("ResNet", 109, 1, 0, 0, 109, 109, 0, 1_727_962)
PLAIN = Architecture("CNN", 12, 2, 0, 0, 0, 0, 0, 100_000)
RUN = RunLength(164, 391, 50_000)
PAIRS = AugmentationPairs(12, 6, True, 0.5, {"mirrored": 0.5, "shifted": 0.9}, True, True, 3, 32, 50_000)
SAME = replace(PAIRS, varies=False, kinds={}, uses_randomness=False)
GOOD = ChannelStatistics(
    (-0.26, -0.27, -0.25), (1.15, 1.15, 1.08), (-1.99, -1.98, -1.71), (2.06, 2.13, 2.12), 512, 32, 0, False
)
UNIT = replace(GOOD, mean=(0.47,) * 3, std=(0.25,) * 3, low=(0.0,) * 3, high=(1.0,) * 3)
CENTRED = replace(GOOD, mean=(0.02, 0.0, -0.03), std=(0.2,) * 3, low=(-0.58,) * 3, high=(0.6,) * 3)
RAW = replace(GOOD, mean=(120.0,) * 3, std=(64.0,) * 3, low=(0.0,) * 3, high=(255.0,) * 3)
HEALTH = InputHealth(("float32",), (128, 3, 32, 32), 0, 0.0, False)
ORDER = Order(True, False, False, 10.0, 10.0, 128)
BALANCE = Balance(10, 0, 5000, 9, 5000, False)
FACTS = DatasetFacts("CIFAR10", 50_000, 50_000, (), (), (), False)
TARGETS = Targets("indices", (128,), "int64", None, 0, 9, dict.fromkeys(range(10), 5000), True)
MASKS = Targets("indices", (64, 32, 32), "int64", 32, 0, 0, {0: 65_536}, False)
OUTPUTS = Outputs((16, 10), 10, -4.0, 5.0, 1.5, 9.0, 3.0, 1.0, 0.0, 1e-5, 2.0, False, True)
PROBABILITIES = replace(OUTPUTS, minimum=0.01, maximum=0.8, std=0.1, row_sum_error=1e-6)
LOGS = replace(OUTPUTS, minimum=-5.0, maximum=-0.1, log_sum_error=1e-6)
CE = CriterionKind("CrossEntropyLoss", "cross_entropy", "mean", True)
SGD = Group("optimizer.param_groups[0]", "SGD", 0.1, 0.1, 1e-4, 0.9, False, None, None, 1000, 100)
FREE = ClipLimit(None)
LENGTHS = LoaderLengths(50_000, 128, False, 10_000, 256, False, True)
SPEED = LoadingSpeed(0.0003, 0.01, 0, 1, 2, "cpu")


def parameter(name: str, **changes: Any) -> ParameterStep:
    return replace(ParameterStep(name, "Conv2d", 1000, 4, True, 10.0, 1.0, 1e-3, 0.0, False, 0.0), **changes)


def step(**changes: Any) -> OneStep:
    """A healthy step of eight convolutions; `each` changes every weight."""
    each = changes.pop("each", {})
    weights = tuple(parameter(f"conv{i}.weight", **each) for i in range(8))
    activations = tuple(
        Activation(f"conv{i}", "Conv2d", (16, 16, 32, 32), 0.0, changes.pop("std", 1.0) if i == 0 else 1.0, True)
        for i in range(8)
    )
    return replace(OneStep(6.5, 32, activations, weights, 3.0, False, 0.4, 32), **changes)


UNUSED = replace(step(), parameters=(*step().parameters, parameter("spare.weight", gradient=None)))
CELL = Activation("spare", "Linear", (1, 128), 0.0, 1.0, True)


def loud(std: float) -> OneStep:
    return replace(step(), activations=tuple(replace(a, std=std) for a in step().activations))


def coarse() -> OneStep:
    sides = [8, 4, 4, 4, 2, 2, 2, 1, 1, 1]
    return replace(
        step(), activations=tuple(Activation(f"c{i}", "Conv2d", (16, 8, s, s), 0, 1, True) for i, s in enumerate(sides))
    )


def vanishing() -> OneStep:
    return replace(step(), parameters=tuple(parameter(f"l{i}.weight", gradient=10.0 ** (i - 8)) for i in range(8)))


def adaptive(optimizer: str, peak: float) -> RateTrials:
    return replace(trials(2.5, 2.5), peak=peak, adaptive=True, momentum=0.0, optimizer=optimizer, epsilon=1e-8)


def trials(
    own: float, tenth: float, *, worst: float = 3.0, peak: float = 0.1, diverged: bool = False, **higher: float
) -> RateTrials:
    def trial(factor: float, end: float) -> Trial:
        return Trial(factor, peak * factor, (worst if factor == 1 else 2.5,) + (end,) * 59, diverged and factor == 1)

    more = tuple(trial(float(f[1:]), end) for f, end in higher.items())
    return RateTrials((trial(1.0, own), trial(0.1, tenth), *more), peak, 0.25, 32, 128, 60, 2.5, 2.3, False, 0.9, False)


def rough(own: float, tenth: float) -> RateTrials:
    """Both rates learn, after their losses shot up to these."""
    of = trials(2.0, 1.9)
    curves = (Trial(1.0, 0.1, (own, *[2.0] * 59), False), Trial(0.1, 0.01, (tenth, *[1.9] * 59), False))
    return replace(of, trials=curves)


def usual(optimizer: str, peak: float) -> RateTrials:
    """Trials in which a hundred times the rate does far better."""
    return replace(trials(2.5, 2.5, peak=peak, f10=2.4, f100=1.8), optimizer=optimizer)


SICK = [
    (augmentation.missing, (SAME, RUN, RESNET), "warning"),
    (augmentation.missing, (replace(SAME, channels=1), RUN, RESNET), "info"),
    (augmentation.weak, (replace(PAIRS, kinds={"mirrored": 0.5}),), "warning"),
    (augmentation.weak, (replace(PAIRS, kinds={"shifted": 0.5}),), "info"),
    (augmentation.weak, (replace(PAIRS, kinds={"mirrored": 0.5}, per_pixel=True),), "info"),
    (augmentation.on_evaluation, (PAIRS,), "warning"),
    (augmentation.frozen, (replace(SAME, uses_randomness=True),), "warning"),
    (augmentation.same_in_workers, (WorkerDraws(6, True, True, False),), "warning"),
    (augmentation.same_in_workers, (WorkerDraws(6, True, False, True),), "warning"),
    (normalization.missing, (UNIT, RESNET), "warning"),
    (
        normalization.missing,
        (replace(UNIT, mean=(0.1,), std=(0.3,), low=(0.0,), high=(1.0,)), replace(RESNET, convolutions=2)),
        "info",
    ),
    (normalization.missing, (RAW, PLAIN), "critical"),
    (normalization.wrong_statistics, (replace(GOOD, mean=(-1.8,) * 3, std=(4.0,) * 3), RESNET), "warning"),
    (normalization.wrong_statistics, (CENTRED, PLAIN), "warning"),
    (normalization.wrong_statistics, (CENTRED, RESNET), "info"),
    (normalization.train_eval_mismatch, (GOOD, UNIT), "critical"),
    (data.dtype, (replace(HEALTH, dtypes=("uint8",)),), "critical"),
    (data.constant, (replace(HEALTH, constant_share=0.2),), "warning"),
    (data.constant, (replace(HEALTH, constant_share=0.2, constant_on_evaluation=0.0),), "warning"),
    (data.nonfinite, (replace(HEALTH, nonfinite=3),), "critical"),
    (data.not_shuffled, (replace(ORDER, classes_per_batch=1.0),), "critical"),
    (data.not_shuffled, (replace(ORDER, same_twice=True, sequential=True),), "warning"),
    (data.not_shuffled, (replace(ORDER, same_twice=True),), "info"),
    (data.imbalance, (replace(BALANCE, least=100),), "warning"),
    (data.imbalance, (replace(BALANCE, least=100, compensated=True),), "info"),
    (data.subset, (replace(FACTS, size=10_000),), "warning"),
    (labels.out_of_range, (replace(TARGETS, minimum=1, maximum=10), OUTPUTS), "critical"),
    (labels.out_of_range, (replace(TARGETS, minimum=-1), OUTPUTS), "critical"),
    (labels.missing_class, (MASKS, OUTPUTS), "warning"),
    (labels.missing_class, (replace(TARGETS, counts=dict.fromkeys(range(9), 5000), maximum=8), OUTPUTS), "warning"),
    (loader.batch_size_one, (replace(LENGTHS, train_batch_size=1),), "warning"),
    (loader.last_batch, (replace(LENGTHS, train_samples=129),), "warning"),
    (loader.last_batch, (replace(LENGTHS, val_drop_last=True),), "info"),
    (loader.bottleneck, (replace(SPEED, load=0.1),), "info"),
    (loader.workers, (replace(SPEED, workers=32),), "info"),
    (loss.softmax_before_cross_entropy, (PROBABILITIES, CE), "critical"),
    (loss.softmax_before_cross_entropy, (OUTPUTS, replace(CE, kind="nll")), "critical"),
    (loss.wrong_for_task, (replace(CE, kind="regression"), TARGETS, OUTPUTS), "critical"),
    (loss.wrong_for_task, (replace(CE, kind="regression"), TARGETS, replace(OUTPUTS, width=1)), "info"),
    (loss.sign, (replace(CE, descends=False),), "critical"),
    (loss.reduction, (replace(CE, reduction="none"), TARGETS, (SGD,), FREE), "critical"),
    (loss.reduction, (replace(CE, reduction="sum"), TARGETS, (SGD,), FREE), "warning"),
    (loss.reduction, (replace(CE, reduction="sum"), TARGETS, (SGD,), ClipLimit(2.0)), "info"),
    (loss.reduction, (replace(CE, reduction="sum"), TARGETS, (SGD,), ClipLimit(1000.0)), "warning"),
    (loss.reduction, (replace(CE, reduction="sum"), TARGETS, (replace(SGD, base_lr=1e-3),), FREE), "info"),
    (
        loss_targets.target_format,
        (
            replace(OUTPUTS, shape=(32, 1), width=1),
            replace(TARGETS, kind="dense", shape=(32,)),
            replace(CE, kind="regression"),
        ),
        "critical",
    ),
    (model.output_width, (replace(OUTPUTS, width=9), TARGETS, CE), "critical"),
    (model.output_width, (replace(OUTPUTS, width=1000), TARGETS, CE), "info"),
    (model.stem_too_coarse, (coarse(),), "warning"),
    (model.unused_parameters, (UNUSED,), "warning"),
    (model.unused_parameters, (replace(UNUSED, activations=(CELL,), further=((1, 64),)),), "warning"),
    (model.frozen, (Trainable(100, 0, ("a",), "fc.weight"), Pretraining(4, 4)), "critical"),
    (model.frozen, (Trainable(100, 50, ("a",), "fc.weight"), Pretraining(4, 4)), "info"),
    (model.frozen, (Trainable(100, 50, ("a",), "fc.weight"), Pretraining(0, 0)), "info"),
    (model.frozen, (Trainable(100, 60, ("a",), "fc.weight"), Pretraining(4, 0)), "info"),
    (model.frozen, (Trainable(100, 20, ("a",), "fc.weight"), Pretraining(4, 0)), "info"),
    (
        model.frozen,
        (Trainable(100, 20, ("a",), "fc.weight", untouched=78, body_only=True), Pretraining(0, 0)),
        "warning",
    ),
    (model.frozen, (Trainable(100, 20, ("a",), "fc.weight", untouched=78), Pretraining(0, 0)), "info"),
    (model.frozen, (Trainable(100, 90, ("fc.weight",), "fc.weight"), Pretraining(4, 4)), "warning"),
    (model.batch_mixing, (replace(OUTPUTS, mixing=0.5),), "warning"),
    # Attention whose weights come from other samples, before training.
    (model.batch_mixing, (replace(OUTPUTS, mixing=0.016, repeat=0.0),), "warning"),
    (model.ignores_input, (replace(OUTPUTS, across_samples=0.0),), "critical"),
    (model.mode_dependent, (replace(OUTPUTS, repeat=0.5), RESNET, TARGETS), "warning"),
    (model.mode_dependent, (replace(OUTPUTS, repeat=0.5), RESNET, replace(TARGETS, kind="dense")), "info"),
    (initialization.constant, (step(each={"constant": True}),), "critical"),
    (initialization.zero, (step(each={"weight": 0.0, "gradient": 0.0}),), "critical"),
    (initialization.identical_units, (step(each={"duplicate_rows": 0.9}),), "warning"),
    (initialization.scale, (ReferenceInit(loud(50.0), step()), RESNET, ()), "warning"),
    (initialization.scale, (ReferenceInit(loud(0.001), step()), PLAIN, ()), "warning"),
    (initialization.gradient_flow, (ReferenceInit(vanishing(), step()),), "warning"),
    (initialization.dead_relu, (ReferenceInit(step(each={"zero_rows": 0.9}), step()),), "warning"),
    (initialization.logits_scale, (ReferenceInit(step(logits_std=300.0, loss=400.0), step()),), "warning"),
    (learning_rate.too_high, (trials(2.31, 1.7), RESNET), "warning"),
    (learning_rate.too_high, (trials(2.0, 1.9, worst=50.0), RESNET), "warning"),
    (learning_rate.too_high, (rough(own=60.0, tenth=15.0), RESNET), "warning"),
    (learning_rate.too_high, (trials(2.0, 1.9, diverged=True), RESNET), "critical"),
    (learning_rate.too_high, (trials(2.0, 1.95, peak=2.0), RESNET), "warning"),
    (learning_rate.too_low, (trials(2.5, 2.5, f10=2.4, f100=1.8), Pretraining(10, 0), RESNET), "critical"),
    (learning_rate.too_low, (usual("SGD", 0.1), Pretraining(10, 0), RESNET), "info"),
    (learning_rate.too_low, (usual("SGD", 1e-3), Pretraining(10, 0), RESNET), "critical"),
    (learning_rate.too_low, (usual("AdamW", 1e-3), Pretraining(10, 0), RESNET), "info"),
    (learning_rate.too_low, (usual("Adadelta", 0.1), Pretraining(10, 0), RESNET), "info"),
    (learning_rate.too_low, (usual("AdamW", 1e-5), Pretraining(10, 0), RESNET), "critical"),
    (learning_rate.too_low, (replace(trials(2.5, 2.5), peak=1e-6), Pretraining(10, 0), RESNET), "warning"),
    (learning_rate.too_low, (adaptive("Adagrad", 1e-5), Pretraining(10, 0), RESNET), "warning"),
    (learning_rate.too_high, (adaptive("Adam", 0.1), RESNET), "warning"),
    (learning_rate.too_high, (adaptive("RMSprop", 0.1), RESNET), "warning"),
    (learning_rate.update_ratio, (step(each={"update": 0.9}),), "info"),
    (learning.not_learning, (Overfit((2.3,) * 150, 0.1, 32, 1e-3, 2.3, False, normalized=False),), "critical"),
    (learning.not_learning, (Overfit((2.3,) * 60, 0.1, 32, 1e-3, 2.3, False, whole=False),), "critical"),
    (
        learning.not_learning,
        (Overfit((4.6,) * 150, 0.1, 32, 1e-3, 3.2, False, normalized=False, rows=True),),
        "critical",
    ),
    (learning.nonfinite, (step(loss=float("nan")),), "critical"),
    (
        learning.diverges,
        (replace(trials(2, 2), trials=tuple(Trial(f, f, (9e9,), True) for f in (1.0, 0.1, 0.01))),),
        "critical",
    ),
    (learning.clip_too_small, (step(), 1e-5), "warning"),
]

HEALTHY = [
    (learning_rate.too_high, (rough(own=60.0, tenth=40.0), RESNET)),
    (learning_rate.too_high, (rough(own=10.0, tenth=2.5), RESNET)),
    (
        learning_rate.too_high,
        (replace(trials(2.5, 2.0), peak=0.02, adaptive=True, optimizer="Adam", user_batch_size=1, chance=None), PLAIN),
    ),
    (augmentation.missing, (PAIRS, RUN, RESNET)),
    (augmentation.weak, (PAIRS,)),
    (augmentation.on_evaluation, (SAME,)),
    (augmentation.frozen, (PAIRS,)),
    (augmentation.same_in_workers, (WorkerDraws(6, True, False, False),)),
    (normalization.missing, (GOOD, RESNET)),
    (normalization.wrong_statistics, (GOOD, RESNET)),
    # Pixels of 0..1 with the noise of an attack are not normalized at all.
    (normalization.wrong_statistics, (replace(UNIT, low=(-0.03,) * 3, high=(1.02,) * 3), RESNET)),
    # 0.5 for mean and deviation: a popular choice that is no fault.
    (normalization.wrong_statistics, (replace(GOOD, mean=(-0.15,) * 3, std=(0.55,) * 3), RESNET)),
    (normalization.train_eval_mismatch, (GOOD, replace(GOOD, mean=(0.0,) * 3))),
    # Of a few images, none may have black or white in it.
    (normalization.train_eval_mismatch, (GOOD, replace(GOOD, low=(-1.5,) * 3, samples=20))),
    *((c, (HEALTH,)) for c in (data.dtype, data.constant, data.nonfinite)),
    (data.not_shuffled, (ORDER,)),
    (data.imbalance, (BALANCE,)),
    (data.subset, (replace(FACTS, size=45_000),)),
    (data.subset, (replace(FACTS, size=12_406, long_tailed=True),)),
    (labels.out_of_range, (TARGETS, OUTPUTS)),
    (labels.missing_class, (TARGETS, OUTPUTS)),
    (loader.batch_size_one, (LENGTHS,)),
    (loader.last_batch, (replace(LENGTHS, train_drop_last=True),)),
    (loader.last_batch, (replace(LENGTHS, train_samples=5, train_batch_size=2, train_drop_last=True),)),
    (loader.bottleneck, (SPEED,)),
    (loader.workers, (SPEED,)),
    (loss.softmax_before_cross_entropy, (OUTPUTS, CE)),
    # log_softmax is idempotent before cross entropy, and what NLL wants.
    (loss.softmax_before_cross_entropy, (LOGS, CE)),
    (loss.softmax_before_cross_entropy, (LOGS, replace(CE, kind="nll"))),
    (loss.wrong_for_task, (CE, TARGETS, OUTPUTS)),
    (loss.sign, (CE,)),
    (loss.sign, (replace(CE, descends=False, of_distances=True),)),
    (loss.reduction, (CE, TARGETS, (SGD,), FREE)),
    (loss_targets.target_format, (OUTPUTS, TARGETS, CE)),
    (model.output_width, (OUTPUTS, TARGETS, CE)),
    # Points in the plane, of ten classes.
    (model.output_width, (replace(OUTPUTS, width=2), TARGETS, replace(CE, kind="other"))),
    (model.stem_too_coarse, (step(),)),
    (model.unused_parameters, (step(),)),
    # What makes the state of a recurrent cell counts in the next step.
    (model.unused_parameters, (replace(UNUSED, activations=(CELL,), further=((1, 128),)),)),
    (model.frozen, (Trainable(100, 100, (), "fc.weight"), Pretraining(4, 0))),
    (model.batch_mixing, (OUTPUTS,)),
    (model.batch_mixing, (replace(OUTPUTS, mixing=0.016, rounding=0.0078),)),
    (labels.missing_class, (replace(MASKS, counts={0: 65_000, 1: 536}, maximum=1), OUTPUTS)),
    (labels.missing_class, (replace(MASKS, counts={0: 8192}), OUTPUTS)),
    (model.ignores_input, (OUTPUTS,)),
    # A head of zeros gives constant outputs at the start, and learns.
    (model.ignores_input, (replace(OUTPUTS, across_samples=0.0, head_is_zero=True),)),
    (model.mode_dependent, (OUTPUTS, RESNET, TARGETS)),
    # nn.LayerNorm([positions, width]) has a scale for each of both.
    (initialization.constant, (step(each={"constant": True, "kind": "LayerNorm", "ndim": 2}),)),
    *((c, (step(),)) for c in (initialization.constant, initialization.zero, initialization.identical_units)),
    (initialization.zero, (step(each={"weight": 0.0, "gradient": 1.0}),)),
    (initialization.scale, (ReferenceInit(loud(2.5), step()), RESNET, ())),
    (initialization.gradient_flow, (ReferenceInit(step(), step()),)),
    (initialization.dead_relu, (ReferenceInit(step(), step()),)),
    # A loss far above ln 10 is normal in a deep residual net.
    (initialization.logits_scale, (ReferenceInit(step(logits_std=6.0, loss=8.9), step(loss=4.9)),)),
    (learning_rate.too_high, (trials(1.8, 1.63), RESNET)),
    (learning_rate.too_low, (trials(1.8, 1.7, f10=2.0), Pretraining(10, 0), RESNET)),
    (learning_rate.too_low, (adaptive("Adam", 1e-4), Pretraining(10, 0), RESNET)),
    (learning_rate.too_high, (adaptive("AdamW", 0.01), RESNET)),
    (learning_rate.too_high, (replace(adaptive("RMSprop", 0.045), epsilon=1e-3), RESNET)),
    (learning_rate.update_ratio, (step(),)),
    # Time was up: VGG-16 without normalization comes from 2.30 to 2.19 in 50 steps, and learns.
    (learning.not_learning, (Overfit((2.3,) * 50, 0.1, 32, 1e-3, 2.3, False, normalized=False, whole=False),)),
    (learning.not_learning, (Overfit((2.3,) * 12, 0.1, 32, 1e-3, 2.3, False, whole=False),)),
    (learning.not_learning, (Overfit((4.6, 3.2, 3.15), 0.2, 32, 1e-3, 3.2, False, normalized=False, rows=True),)),
    (learning.not_learning, (Overfit((2.3, 1.0, 0.4), 1.0, 32, 1e-3, 2.3, True),)),
    (learning.nonfinite, (step(),)),
    (learning.diverges, (trials(2.0, 1.9),)),
    (learning.clip_too_small, (step(), 1.0)),
]


@pytest.mark.parametrize(("check", "evidence", "severity"), SICK, ids=lambda v: getattr(v, "code", None))
def test_sick(check: Any, evidence: tuple[Any, ...], severity: str) -> None:
    assert_unwell(check, *evidence, severity=severity)


@pytest.mark.parametrize(("check", "evidence"), HEALTHY, ids=lambda v: getattr(v, "code", None))
def test_healthy(check: Any, evidence: tuple[Any, ...]) -> None:
    assert_healthy(check, *evidence)


def test_samples_that_the_training_transforms_erase_are_told_as_that() -> None:
    erased = replace(HEALTH, constant_share=0.2, constant_on_evaluation=0.0)
    assert_unwell(data.constant, erased, severity="warning", mentions="the training transforms erase them")
    broken = replace(HEALTH, constant_share=0.2, constant_on_evaluation=0.2)
    assert_unwell(data.constant, broken, severity="warning", mentions="all their values are equal.")
