"""Fixes of the loss and of what stands before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from trainingdoctor import Finding
from trainingdoctor.measure.criterion import CriterionKind
from trainingdoctor.measure.output_call import OutputCall
from trainingdoctor.measure.outputs import Outputs
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.remedy import (
    DropArgument,
    Edit,
    NotFixable,
    Provenance,
    RemoveElement,
    Replace,
    SetArgument,
    SetField,
    Unwrap,
    UnwrapWithin,
    fix,
)
from trainingdoctor_checks.fixes._values import named_value

# What a loop does between the model and the criterion, and no more needs if it takes the largest output for the class.
IN_LOOPS = ("softmax", "relu")
SQUASHING = ("softmax", "log_softmax", "sigmoid", "relu", "tanh")


@fix("loss.softmax_before_cross_entropy", optional=("output_call", "loop_trace"))
def logits(
    finding: Finding,
    outputs: Outputs,
    criterion: Any,
    output_call: OutputCall | None,
    loop_trace: LoopTrace | None,
    provenance: Provenance,
) -> Iterator[Edit]:
    """Let the outputs and the criterion fit one another: logits into cross-entropy."""
    if finding.where == ("criterion",):
        yield _cross_entropy(criterion, provenance)
        if not outputs.are_probabilities:
            return
    yield from _taken_off(output_call, loop_trace, provenance)


@fix("model.relu_on_logits", optional=("loop_trace",))
def bare_logits(output_call: OutputCall, loop_trace: LoopTrace | None, provenance: Provenance) -> Iterator[Edit]:
    """Take the activation after the last layer away."""
    yield from _taken_off(output_call, loop_trace, provenance)


def _taken_off(call: OutputCall | None, loop_trace: LoopTrace | None, provenance: Provenance) -> Iterator[Edit]:
    if call is None:
        raise NotFixable("what squashes the outputs was not seen")
    built = None if call.module is None else provenance.building.of(call.module)
    if built is not None and built.direct and type(call.module).__module__.startswith("torch."):
        yield RemoveElement(built.calls[0].place)
    elif call.place is not None:
        yield Unwrap(call.place, SQUASHING)
    elif call.name in IN_LOOPS and loop_trace is not None and (passes := loop_trace.of("training")):
        yield UnwrapWithin(provenance.line(passes[-1].where), call.name)
    else:
        raise NotFixable(f"the line that calls {call.name} was not seen")


@fix("loss.wrong_for_task")
def classify(criterion: Any, provenance: Provenance) -> Iterator[Edit]:
    """Use cross-entropy for classes."""
    yield _cross_entropy(criterion, provenance)


@fix("loss.sign")
def turn_round(criterion: Any, criterion_kind: CriterionKind, provenance: Provenance) -> Iterator[Edit]:
    """Use cross-entropy as it is."""
    if criterion_kind.kind != "cross_entropy":
        raise NotFixable(f"what {criterion_kind.name} should be without the minus sign is not known")
    yield _cross_entropy(criterion, provenance)


def _cross_entropy(criterion: Any, provenance: Provenance) -> Edit:
    built = provenance.building.of(criterion)
    if built is not None and built.direct:
        return Replace(built.calls[0].place, "torch.nn.CrossEntropyLoss()")
    return SetField(provenance.top, "criterion", "torch.nn.CrossEntropyLoss()")


@fix("loss.reduction")
def average(criterion: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Average over the batch."""
    yield DropArgument(provenance.call(criterion, "the criterion"), "reduction")


@fix("regularization.excessive")
def smooth_less(finding: Finding, criterion: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Smooth the labels by a tenth."""
    if "smoothing" not in finding.evidence:
        raise NotFixable("which of the regularizers is too much is a matter of trying")
    yield SetArgument(
        provenance.call(criterion, "the criterion"), "label_smoothing", named_value(finding, "label_smoothing")
    )


@fix("loss.class_weights")
def equal_weights(criterion: nn.Module, provenance: Provenance) -> Iterator[Edit]:
    """Leave the class weights out."""
    yield DropArgument(provenance.call(criterion, "the criterion"), "weight")


@fix("epochs.too_few")
def more_epochs(provenance: Provenance) -> Iterator[Edit]:
    """Train for the 160 epochs of the published recipes."""
    yield SetField(provenance.top, "epochs", "160")


@fix("clip.too_small")
def clip_less(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Clip only what is far larger than the usual gradient."""
    yield SetField(provenance.top, "grad_clip", named_value(finding, "grad_clip"))


FIXES = (logits, bare_logits, classify, turn_round, average, smooth_less, equal_weights, more_epochs, clip_less)
