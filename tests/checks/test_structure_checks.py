"""Structure, activations, BatchNorm placement, freezing and origin of weights: checks on handmade evidence."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from trainingdoctor import Finding
from trainingdoctor.measure.batchnorm_use import BatchNormUse
from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.flow import Flow, Squashed, WeightLayer
from trainingdoctor.measure.freezing import VainFreeze
from trainingdoctor.measure.function_use import FunctionUse
from trainingdoctor.measure.layers import Architecture
from trainingdoctor.measure.one_step import Activation, OneStep
from trainingdoctor.measure.optimizers import Ownership
from trainingdoctor.measure.origins import Origin
from trainingdoctor.measure.outputs import Outputs
from trainingdoctor.measure.pretraining import Pretraining
from trainingdoctor.measure.reference_init import ReferenceInit
from trainingdoctor.measure.single_values import SingleValues
from trainingdoctor.measure.spectral import SpectralLayer
from trainingdoctor.measure.targets import Targets
from trainingdoctor.observing.seen import LoadedSeen
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor_checks import (
    activations,
    batchnorm_placement,
    freezing,
    initialization,
    model,
    model_structure,
    weight_origin,
)

CE = CriterionKind("CrossEntropyLoss", "cross_entropy", "mean", True)
MSE = replace(CE, name="MSELoss", kind="regression")
TARGETS = Targets("indices", (128,), "int64", None, 0, 9, dict.fromkeys(range(10), 5000), True)
OUTPUTS = Outputs((16, 10), 10, -4.0, 5.0, 1.5, 9.0, 3.0, 1.0, 0.0, 1e-5, 2.0, False, True)
CLIPPED = replace(OUTPUTS, minimum=0.0, zero_share=0.5)

FRESH = Pretraining(8, 0)
HEAD = WeightLayer("fc", "linear", 64, 10, 10)

BARE = Architecture("CNN", 12, 1, 0, 0, 0, 0, 0, 100_000)


def conv(name: str, **changes: Any) -> WeightLayer:
    return replace(WeightLayer(name, "conv", 64, 64, 64 * 64, 9), **changes)


def linear(name: str, inputs: int, outputs: int, **changes: Any) -> WeightLayer:
    return replace(WeightLayer(name, "linear", inputs, outputs, outputs), **changes)


def residual(blocks: int) -> tuple[WeightLayer, ...]:
    """Pairs of convolutions of 3 x 3 without an activation between them."""
    pairs = (
        (replace(conv(f"{i}.a"), kernel=9), replace(conv(f"{i}.b", after=f"{i}.a"), kernel=9)) for i in range(blocks)
    )
    return (*(layer for pair in pairs for layer in pair), HEAD)


def plain(count: int, **changes: Any) -> Flow:
    """A plain net of `count` convolutions with ReLUs and BatchNorm."""
    each = changes.pop("each", {})
    layers = (*(conv(f"conv{i}", **each) for i in range(count)), HEAD)
    return replace(Flow(layers, (), {"Relu": count}, count, (), 0.7), **changes)


def mlp(*widths: int, bends: dict[str, int] | None = None, **changes: Any) -> Flow:
    """Linear layers in a row: without activations unless `bends` names some."""
    pairs = list(pairwise(widths))
    after = [None, *(f"l{i}" for i in range(len(pairs) - 1))] if not bends else [None] * len(pairs)
    layers = tuple(linear(f"l{i}", a, b, after=after[i]) for i, (a, b) in enumerate(pairs))
    return replace(Flow(layers, (), bends or {}, 0, (), 0.7 if bends else 1e-7), **changes)


def transformer(*, activation: bool) -> Flow:
    """Four blocks of projections around attention, and an MLP with or without its activation."""
    layers = []
    for i in range(4):
        inner = linear(f"{i}.fc1", 64, 256, always=False)
        layers += [linear(f"{i}.qkv", 64, 192, always=False), linear(f"{i}.out", 64, 64, always=False), inner]
        layers.append(linear(f"{i}.fc2", 256, 64, always=False, after=None if activation else inner.name))
    bends = {"NativeLayerNorm": 9, "Softmax": 4, **({"Gelu": 4} if activation else {})}
    return Flow((conv("patches"), *layers, HEAD), (), bends, 9, (), 0.7)


def squashed(kind: str, count: int, **changes: Any) -> Flow:
    used = tuple(replace(Squashed(kind, f"conv{i}", 0.0, False, True), **changes) for i in range(count))
    return replace(plain(8, norms=0), squashed=used)


NARROW = Flow((linear("a", 784, 64), linear("b", 64, 1), linear("c", 1, 10)), (), {"Relu": 2}, 0)
USE = BatchNormUse("bn1", 1, ("conv1",), ("conv2",), 1e-5, 1.0, 0.0, 0.5)
TWO_PLACES = replace(USE, calls=2, feeders=("conv1", "conv2"), followers=("conv2", "fc"))
SMALL = replace(USE, eps=1.0, small=1.0, variance=0.1)
OWNERSHIP = Ownership(1000, 1000, (), 0, 0, 0, (), (), 0, False)
# Everything frozen but BatchNorm, and the optimizer on the frozen head.
BN_ONLY = replace(
    OWNERSHIP, trainable=76, held=650, missing=("bn.weight",), missing_count=76, frozen=("fc.weight",), frozen_count=650
)
SPECTRAL = SpectralLayer("conv", 30.0, 1.05, True, True)


def origin(name: str, *, trained: bool, fresh: bool = False, **changes: Any) -> Origin:
    z = 300.0 if trained else 0.5
    made = Origin(name, (64, 64, 3, 3), True, 20.0 if trained else 1.0, z, 0.0, 0.0, fresh, trained)
    return replace(made, **changes)


def loaded(*marks: str, **changes: Any) -> tuple[tuple[Origin, ...]]:
    """Layers as `t` (trained), `f` (fresh) or `?` (neither)."""
    return (tuple(origin(f"l{i}", trained=m == "t", fresh=m == "f", **changes) for i, m in enumerate(marks)),)


SICK = [
    (model_structure.no_residual, (plain(55),), "warning"),
    (model_structure.no_residual, (plain(24),), "info"),
    (model_structure.normalizes_one_value, (SingleValues(2, ("norm",)),), "critical"),
    (activations.activation_missing, (mlp(784, 256, 256, 10),), "warning"),
    # Seen by behaviour alone: leaky ReLUs with a slope of 1.
    (
        activations.activation_missing,
        (replace(mlp(784, 256, 256, 10, bends={"LeakyRelu": 2}), deviation=1e-7),),
        "warning",
    ),
    (activations.activation_missing, (plain(4, bends={"MaxPool2DWithIndices": 2}),), "warning"),
    (activations.activation_missing, (transformer(activation=False),), "warning"),
    (activations.activation_missing, (replace(plain(4), layers=(conv("a"), conv("b", after="a"), HEAD)),), "info"),
    (activations.activation_missing, (replace(plain(4), layers=residual(4)),), "warning"),
    (activations.relu_on_logits, (CLIPPED, CE, plain(4, tail=("Relu",))), "warning"),
    (activations.relu_on_logits, (CLIPPED, CE, plain(4, tail=("Hardtanh", "Div"))), "warning"),
    (activations.relu_on_logits, (OUTPUTS, CE, plain(4, tail=("Tanh",))), "warning"),
    (activations.relu_on_logits, (replace(OUTPUTS, row_norm=1.0), CE, plain(4)), "warning"),
    (activations.saturated_activation, (squashed("sigmoid", 5),), "warning"),
    (activations.saturated_activation, (replace(squashed("sigmoid", 5), norms=5),), "info"),
    (activations.saturated_activation, (squashed("sigmoid", 4),), "info"),
    (activations.saturated_activation, (squashed("softmax", 2),), "warning"),
    (activations.saturated_activation, (squashed("softmax", 1),), "info"),
    (activations.saturated_activation, (squashed("tanh", 3, flat=0.9),), "warning"),
    (activations.attention_saturated, (FunctionUse(peaks=(0.7, 0.6, 0.9)), FRESH), "warning"),
    (model_structure.capacity, (NARROW, TARGETS, CE), "warning"),
    (
        model_structure.capacity,
        (replace(NARROW, layers=(linear("a", 784, 2), linear("b", 2, 10))), TARGETS, CE),
        "info",
    ),
    (model_structure.capacity, (mlp(784, 10), TARGETS, CE), "info"),
    (batchnorm_placement.missing, (plain(12, norms=0), BARE), "info"),
    (batchnorm_placement.bias_before, (plain(3, each={"biased_before_norm": True}),), "info"),
    (batchnorm_placement.shared, ((USE, TWO_PLACES),), "warning"),
    # A siamese net uses the whole branch twice; so does a pre-activation one, whose first layer is a BatchNorm.
    (batchnorm_placement.shared, ((replace(TWO_PLACES, feeders=("conv1",)),),), "info"),
    (batchnorm_placement.shared, ((replace(TWO_PLACES, followers=("conv2",)),),), "info"),
    (batchnorm_placement.eps, ((SMALL, USE, USE, USE),), "warning"),
    (batchnorm_placement.eps, ((SMALL, *[USE] * 9),), "info"),
    # The usual eps, and a signal that is tiny everywhere.
    (batchnorm_placement.eps, ((replace(USE, small=0.9, variance=1e-7),) * 3,), "warning"),
    (freezing.freeze_without_effect, ((VainFreeze("layer1", "requires_grad", 14_016, True),),), "warning"),
    (freezing.freeze_without_effect, ((VainFreeze("layer1.weight", "require_grad", 14_016, False),),), "warning"),
    (freezing.frozen_parameters, (BN_ONLY,), "critical"),
    (weight_origin.pretrained_lost, (LoopTrace(loaded=LoadedSeen(20, 20)),), "warning"),
    (weight_origin.pretrained_partial, loaded(*"ttfftf"), "warning"),
    # Fresh 1x1 layers in between: inserted attention, projections.
    (
        weight_origin.pretrained_partial,
        ((*loaded(*"tt")[0], *loaded("f", shape=(64, 64))[0], *loaded(*"ttf")[0]),),
        "info",
    ),
    (weight_origin.spectral_norm, ((SPECTRAL, replace(SPECTRAL, trained=5.0, updates=False)),), "warning"),
    (weight_origin.spectral_norm, ((replace(SPECTRAL, evaluated=30.0, evaluated_at="train.py:9"),),), "warning"),
]

HEALTHY = [
    # The 18 convolutions of VGG-19 and Darknet-19.
    (model_structure.no_residual, (plain(18),)),
    (model_structure.no_residual, (plain(110, each={"always": False}),)),
    (model_structure.normalizes_one_value, (SingleValues(2, ()),)),
    # MobileNetV1: every other convolution is grouped.
    (model_structure.no_residual, (plain(27, each={"grouped": True}),)),
    (activations.activation_missing, (plain(8),)),
    (activations.activation_missing, (mlp(784, 10),)),
    # A low-rank map, a linear autoencoder: no single layer is that.
    (activations.activation_missing, (mlp(64, 8, 64),)),
    (activations.activation_missing, (mlp(784, 256, 10, bends={"Relu": 1}),)),
    (activations.activation_missing, (transformer(activation=True),)),
    # Zero-initialized branches leave a model that is nearly affine at the start.
    (activations.activation_missing, (plain(8, deviation=1e-3),)),
    # MobileNetV2's bottleneck, and depthwise separable convolutions.
    (
        activations.activation_missing,
        (replace(plain(2), layers=(conv("a", inputs=96, outputs=24), conv("b", outputs=144, after="a"), HEAD)),),
    ),
    (
        activations.activation_missing,
        (replace(plain(2), layers=(conv("a", grouped=True), conv("b", after="a"), HEAD)),),
    ),
    (activations.relu_on_logits, (OUTPUTS, CE, plain(4))),
    # A scaled cosine loss; and a net that gives one prediction for all, which is another finding.
    (activations.relu_on_logits, (replace(OUTPUTS, row_norm=30.0), CE, plain(4))),
    (activations.relu_on_logits, (replace(OUTPUTS, row_norm=1.0, across_samples=0.0), CE, plain(4))),
    # SqueezeNet and Network in Network pool after their last ReLU.
    (activations.relu_on_logits, (CLIPPED, CE, plain(4, tail=("Relu", "Mean")))),
    (activations.relu_on_logits, (CLIPPED, MSE, plain(4, tail=("Relu",)))),
    (activations.relu_on_logits, (replace(CLIPPED, head_is_zero=True), CE, plain(4, tail=("Relu",)))),
    (activations.relu_on_logits, (replace(OUTPUTS, minimum=0.1), CE, plain(4, tail=("Softplus",)))),
    # A soft cap.
    (activations.relu_on_logits, (OUTPUTS, CE, plain(4, tail=("Div", "Tanh", "Mul")))),
    (activations.saturated_activation, (squashed("sigmoid", 3),)),
    (activations.attention_saturated, (FunctionUse(peaks=(0.1, 0.02, 0.9)), FRESH)),
    (activations.saturated_activation, (squashed("tanh", 8, flat=0.1),)),
    (activations.saturated_activation, (squashed("tanh", 2, flat=0.9),)),
    (activations.saturated_activation, (squashed("sigmoid", 8, repeated=True),)),
    (activations.saturated_activation, (squashed("softmax", 8, always=False),)),
    (model_structure.capacity, (plain(8), TARGETS, CE)),
    (model_structure.capacity, (NARROW, TARGETS, MSE)),
    (model_structure.capacity, (NARROW, replace(TARGETS, counts={0: 5, 1: 5}), CE)),
    (batchnorm_placement.missing, (plain(12), BARE)),
    (batchnorm_placement.missing, (plain(12, norms=0), replace(BARE, normalizations=12))),
    (batchnorm_placement.missing, (plain(8, norms=0), BARE)),
    (batchnorm_placement.bias_before, (plain(3),)),
    (batchnorm_placement.shared, ((USE,),)),
    (batchnorm_placement.eps, ((USE,),)),
    # MobileNetV3: 2 of 34 layers have variances below its 1e-3.
    (batchnorm_placement.eps, ((*[replace(USE, eps=1e-3, small=1.0, variance=1.7e-4)] * 2, *[USE] * 32),)),
    (freezing.freeze_without_effect, ((),)),
    (freezing.freeze_without_effect, ((VainFreeze("layer1", "requires_grad", 0, True),),)),
    (freezing.frozen_parameters, (OWNERSHIP,)),
    # A frozen backbone in an optimizer that holds everything.
    (freezing.frozen_parameters, (replace(OWNERSHIP, trainable=10, frozen=("body",), frozen_count=990),)),
    (freezing.frozen_parameters, (replace(BN_ONLY, trainable=0, missing=(), missing_count=0),)),
    (weight_origin.pretrained_lost, (LoopTrace(loaded=LoadedSeen(20, 1)),)),
    (weight_origin.pretrained_partial, loaded(*"tttttt")),
    (weight_origin.pretrained_partial, loaded(*"tttt?f")),
    (weight_origin.pretrained_partial, loaded(*"ffffff")),
    (weight_origin.pretrained_partial, loaded(*"fttttf")),
    (weight_origin.pretrained_partial, loaded(*"t?t?tf")),
    # Adapters in a frozen body.
    (
        weight_origin.pretrained_partial,
        ((*loaded(*"t", trainable=False)[0], *loaded("f")[0], *loaded("t", trainable=False)[0]),),
    ),
    (activations.attention_saturated, (FunctionUse(peaks=(0.9, 0.8, 0.9)), replace(FRESH, moved=8))),
    (weight_origin.spectral_norm, ((SPECTRAL,),)),
    (weight_origin.spectral_norm, ((replace(SPECTRAL, evaluated=1.1),),)),
]


@pytest.mark.parametrize(("check", "evidence", "severity"), SICK, ids=lambda v: getattr(v, "code", None))
def test_sick(check: Any, evidence: tuple[Any, ...], severity: str) -> None:
    found = [f for f in check(*evidence) if isinstance(f, Finding)]
    assert [f.severity for f in found] == [severity]


@pytest.mark.parametrize(("check", "evidence"), HEALTHY, ids=lambda v: getattr(v, "code", None))
def test_healthy(check: Any, evidence: tuple[Any, ...]) -> None:
    assert [f for f in check(*evidence) if isinstance(f, Finding)] == []


def test_the_scale_of_pretrained_weights_is_no_initialization() -> None:
    def step(std: float) -> OneStep:
        layers = tuple(Activation(f"l{i}", "Linear", (16, 8), 0.0, std, True) for i in range(6))
        return OneStep(2.3, 16, layers, (), 1.0, False, None)

    architecture = Architecture("MLP", 0, 6, 0, 0, 0, 0, 0, 10_000)
    loud = ReferenceInit(step(50.0), step(1.0), step(2.0))
    assert loud.scale_ratios()["l0"] == 25.0
    assert [isinstance(f, Finding) for f in initialization.scale(loud, architecture, *loaded(*"??????"))] == [True]
    assert initialization.scale(loud, architecture, *loaded(*"tttt??")) == []


def test_every_check_has_both() -> None:
    modules = (model_structure, activations, batchnorm_placement, freezing, weight_origin)
    codes = {c.code for m in modules for c in m.CHECKS}
    assert {c.code for c, *_ in SICK} == codes
    assert {c.code for c, *_ in HEALTHY} == codes


def test_gates_of_squeeze_and_excitation_are_no_feature_maps() -> None:
    def step(sides: list[int]) -> OneStep:
        maps = tuple(Activation(f"c{i}", "Conv2d", (16, 8, s, s), 0, 1, True) for i, s in enumerate(sides))
        return OneStep(2.3, 16, maps, (), 1.0, False, None, 32)

    gates = [1, 1]
    assert not [
        f
        for f in model.stem_too_coarse(step([32, *gates, 32, *gates, 16, *gates, 16, 8, 8, 8]))
        if isinstance(f, Finding)
    ]
    (coarse,) = [f for f in model.stem_too_coarse(step([8, 4, 4, 4, 2, 2, 2, 1, 1, 1])) if isinstance(f, Finding)]
    (on_64,) = [
        f
        for f in model.stem_too_coarse(replace(step([16, 16, 8, 8, 8, 4, 4, 4, 2, 2]), input_side=64))
        if isinstance(f, Finding)
    ]
    assert (coarse.severity, on_64.severity) == ("warning", "info")
