"""The modes in which a watched loop trains and evaluates its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.measure.pretraining import Pretraining
    from trainingdoctor.observing.trace import LoopTrace

MODES = "https://pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval"


@check(
    "loop.eval_mode_in_training",
    explains=("batchnorm.eval_in_training",),
    references=(MODES,),
)
def eval_mode_in_training(loop_trace: LoopTrace, pretraining: Pretraining, *, least: int = 2) -> Verdicts:
    """The model trains in evaluation mode.

    What it does: notes the model's mode at each step, in the first epoch and after the first evaluation.
    Why it costs accuracy: dropout is off, and BatchNorm normalizes with statistics that it no longer updates.
    Remedy: model.train() at the start of each epoch.
    Thresholds: no step of an epoch in train mode, for models that have dropout or BatchNorm; an info where weights
    come from an earlier training, whose statistics may be kept on purpose.
    Measured: no measurement yet.
    """
    t = loop_trace
    if not t.sensitive:
        return
    epochs = sorted({s.epoch for s in t.steps})
    sick = [
        e
        for e in epochs
        if len(at := [s for s in t.steps if s.epoch == e]) >= least and not any(s.training for s in at)
    ]
    if sick:
        first = next(s for s in t.steps if s.epoch == sick[0])
        after = sick[0] > epochs[0]
        said = f"From epoch {sick[0]} on, after an evaluation," if after else "From the start"
        say = info if pretraining.done and not after else critical
        yield say(
            f"{said} the model trains in evaluation mode: dropout is off and BatchNorm keeps its statistics.",
            "model.train() at the start of each epoch, before the loop over the batches",
            where=first.where,
            epochs=sick,
        )


@check("loop.train_mode_in_evaluation", explains=("batchnorm.statistics_stale", "metric.wrong"), references=(MODES,))
def train_mode_in_evaluation(loop_trace: LoopTrace) -> Verdicts:
    """The model is evaluated in train mode.

    What it does: notes the model's mode in passes through data that it does not train on.
    Why it costs accuracy: dropout stays on, BatchNorm normalizes with the evaluation batch and learns from it.
    Remedy: model.eval() before the evaluation, model.train() after it.
    Thresholds: all forward passes of an evaluation in train mode, for models that have dropout or BatchNorm.
    Measured: no measurement yet.
    """
    t = loop_trace
    trained = {p.loader for p in t.of("training")}
    sick = [p for p in t.of("evaluation") if p.train_mode and not p.eval_mode and p.loader not in trained]
    if t.sensitive and sick:
        yield critical(
            f"All {sum(p.train_mode for p in sick)} batches of the evaluation went through the model in train mode.",
            "model.eval() before the evaluation, model.train() after it",
            where=sick[0].where,
            batches=sum(p.train_mode for p in sick),
        )


@check("loop.grad_in_evaluation", references=("https://pytorch.org/docs/stable/generated/torch.no_grad.html",))
def grad_in_evaluation(loop_trace: LoopTrace) -> Verdicts:
    """The evaluation computes graphs for gradients that nobody takes.

    What it does: notes whether gradients are enabled in the forward passes of the evaluation.
    Why it costs accuracy: none by itself; it costs a multiple of the memory, and time, and with that batch size.
    Remedy: torch.no_grad() around the evaluation.
    Thresholds: all forward passes of an evaluation.
    Measured: no measurement yet.
    """
    t = loop_trace
    trained = {p.loader for p in t.of("training")}
    passes = [p for p in t.of("evaluation") if p.loader not in trained and p.train_mode + p.eval_mode]
    sick = [p for p in passes if p.with_gradient == p.train_mode + p.eval_mode]
    if t.steps and sick and len(sick) == len(passes):
        yield warning(
            f"The evaluation builds graphs for gradients in all of {sum(p.with_gradient for p in sick)} batches, and takes none.",
            "with torch.no_grad(): around the evaluation, or @torch.no_grad() on its function",
            where=sick[0].where,
            confidence=0.7,
        )


CHECKS = (eval_mode_in_training, train_mode_in_evaluation, grad_in_evaluation)
