"""Fixes of a training loop, at the lines where it was seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainingdoctor import Finding
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.remedy import (
    AtEndOfLoop,
    BesideCall,
    CallOn,
    Edit,
    NotFixable,
    NumbersOnly,
    Provenance,
    SetMode,
    WithinContext,
    fix,
)


def _first(finding: Finding) -> str:
    if not finding.where:
        raise NotFixable("no line was seen that could be changed")
    return finding.where[0]


@fix("loop.zero_grad_missing")
def clear(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Clear the gradients after each step."""
    place = provenance.line(_first(finding))
    text = provenance.source_line(place)
    # A GradScaler is given the optimizer.
    yield BesideCall(
        place, "step", "{first}.zero_grad()" if "scaler" in text.partition(".step")[0] else "{receiver}.zero_grad()"
    )


@fix("loop.eval_mode_in_training")
def back_to_train(loop_trace: LoopTrace, provenance: Provenance) -> Iterator[Edit]:
    """Switch to train mode before each epoch."""
    yield SetMode(provenance.line(loop_trace.of("training")[-1].where), "train")


@fix("loop.train_mode_in_evaluation")
def into_evaluation(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Switch to evaluation mode before each evaluation."""
    yield SetMode(provenance.line(_first(finding)), "eval")


@fix("loop.grad_in_evaluation")
def without_gradients(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Evaluate without gradients."""
    yield WithinContext(provenance.line(_first(finding)), "torch.no_grad()")


@fix("loop.graph_accumulated")
def numbers_only(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Add up numbers, not tensors with their graphs."""
    yield NumbersOnly(provenance.line(_first(finding)))


@fix("loop.accumulation_not_divided")
def divided(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Divide the loss by the number of batches whose gradients are added up."""
    count = finding.remedy.partition("/ ")[2].partition(")")[0]
    yield CallOn(provenance.line(_first(finding)), "backward", f"({{receiver}} / {count})")


@fix("loop.scheduler_never_stepped")
def step_scheduler(scheduler: Any, loop_trace: LoopTrace, provenance: Provenance) -> Iterator[Edit]:
    """Step the scheduler after each epoch."""
    name = provenance.name_of(scheduler, "the scheduler")
    yield AtEndOfLoop(provenance.line(loop_trace.epoch_loop), f"{name}.step()", name)


@fix("clip.before_unscale")
def unscale(finding: Finding, provenance: Provenance) -> Iterator[Edit]:
    """Unscale the gradients before they are clipped."""
    place = provenance.line(_first(finding))
    scaler, optimizer = provenance.scaler_near(place)
    yield BesideCall(place, "clip_grad_norm_", f"{scaler}.unscale_({optimizer})", before=True)


FIXES = (clear, back_to_train, into_evaluation, without_gradients, numbers_only, divided, step_scheduler, unscale)
