"""What a training loop does with gradients and weights: seen by watching an unchanged script."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.observing.seen import StepSeen
    from trainingdoctor.observing.trace import LoopTrace

ZERO_GRAD = "https://pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html"
AMP = "https://pytorch.org/docs/stable/notes/amp_examples.html"


@check("loop.zero_grad_missing", references=(ZERO_GRAD,))
def zero_grad_missing(loop_trace: LoopTrace, *, fewest: int = 3, least: int = 5, share: float = 0.2) -> Verdicts:
    """Gradients are not cleared between steps.

    What it does: looks before each backward() whether a few parameters still hold the gradients of the step before;
    accumulation clears them once per step.
    Why it costs accuracy: every step moves along the sum of all gradients so far, as with a momentum of 1.
    Remedy: optimizer.zero_grad() before each backward(), or after each step().
    Thresholds: cleared before none of `fewest` or more steps, or at most a fifth of `least` or more: clearing them once per epoch
    is as bad. Accumulation clears them once per step, however many batches that takes.
    Measured: no measurement yet.
    """
    for steps in _by_optimizer(loop_trace):
        known = [s for s in steps if s.cleared is not None and s.backwards]
        cleared = sum(bool(s.cleared) for s in known)
        if len(known) >= (least if cleared else fewest) and cleared <= share * len(known):
            yield critical(
                f"{cleared or 'None'} of {len(known)} steps began with empty gradients: those of all batches so far add up.",
                "optimizer.zero_grad() before loss.backward()",
                where=steps[-1].where or loop_trace.backward_at,
                steps=len(known),
            )
        elif known:
            yield Note(f"gradients were cleared before {cleared} of {len(known)} steps")


@check("loop.step_missing", explains=("loop.scheduler_never_stepped",))
def step_missing(loop_trace: LoopTrace, *, least: int = 40) -> Verdicts:
    """Gradients are computed, and no optimizer steps.

    What it does: counts backward() calls and steps of every optimizer.
    Why it costs accuracy: the weights stay as they are.
    Remedy: optimizer.step() after backward().
    Thresholds: an optimizer was built, and `least` backward() calls, or a whole epoch of them, went by without a step;
    larger accumulation than that is rare.
    Measured: no measurement yet.
    """
    t = loop_trace
    whole = any(p.batches and p.batches == t.loaders[p.loader].batches for p in t.of("training"))
    if t.built and not t.steps and t.backwards >= (1 if whole and t.backwards > 1 else least):
        yield critical(
            f"{t.backwards} calls of backward(), and no optimizer made a step.",
            "optimizer.step() after loss.backward()",
            where=t.backward_at,
            backwards=t.backwards,
        )


@check("loop.backward_missing", explains=("loop.detached", "loop.zero_grad_missing"))
def backward_missing(loop_trace: LoopTrace, *, least: int = 3) -> Verdicts:
    """The optimizer steps, and no gradient was ever computed.

    What it does: counts steps and backward() calls.
    Why it costs accuracy: a step without gradients changes nothing.
    Remedy: loss.backward() before optimizer.step().
    Thresholds: `least` steps without any backward().
    Measured: no measurement yet.
    """
    t = loop_trace
    if len(t.steps) >= least and not t.backwards and not any(s.gradients for s in t.steps):
        yield critical(
            f"{len(t.steps)} steps of the optimizer, and backward() was never called.",
            "loss.backward() before optimizer.step()",
            where=t.steps[-1].where,
            steps=len(t.steps),
        )


@check("loop.detached", explains=("model.unused_parameters",))
def detached(loop_trace: LoopTrace, *, least: int = 3) -> Verdicts:
    """backward() runs, and no parameter of the optimizer gets a gradient.

    What it does: looks at each step whether any parameter has a gradient.
    Why it costs accuracy: nothing is learned.
    Remedy: look between model and loss for .detach(), .data, .item(), torch.no_grad(), NumPy, or a new tensor with
    requires_grad; and whether the optimizer holds this model's parameters.
    Thresholds: `least` steps, all without gradients.
    Measured: no measurement yet.
    """
    t = loop_trace
    if len(t.steps) >= least and t.backwards and not any(s.gradients or s.lost for s in t.steps):
        yield critical(
            f"After {t.backwards} calls of backward() no parameter that the optimizer holds has a gradient: the graph is cut "
            "between model and loss, or the optimizer holds another model.",
            "Between model and loss no .detach(), .data, .item(), torch.tensor(...) or torch.no_grad()",
            where=t.backward_at,
        )


@check("loop.graph_accumulated", references=("https://pytorch.org/docs/stable/notes/faq.html",))
def graph_accumulated(loop_trace: LoopTrace, *, least: int = 4) -> Verdicts:
    """The graphs of earlier batches are kept alive.

    What it does: marks the graph of each loss, and counts the marks that are still alive some batches later.
    Why it costs accuracy: none until the memory is full, which grows with every batch.
    Remedy: total += loss.item(), losses.append(loss.detach()).
    Thresholds: `least` graphs that are three batches old or older.
    Measured: no measurement yet.
    """
    sick = [p for p in loop_trace.passes if p.graphs_kept >= least]
    if sick:
        worst = max(sick, key=lambda p: p.graphs_kept)
        yield warning(
            f"The graphs of {worst.graphs_kept} earlier batches were still in memory: something holds on to a loss or an output.",
            "total += loss.item(), or loss.detach() before it goes into a list",
            where=worst.where,
            kept=worst.graphs_kept,
        )


@check("loop.accumulation_not_divided", explains=("lr.too_high",))
def accumulation_not_divided(loop_trace: LoopTrace, *, least: int = 3, same: float = 0.02) -> Verdicts:
    """Gradients of several batches are added up, and the loss is not divided by their number.

    What it does: counts the batches per step, and compares the value that backward() is called on with the criterion's.
    Why it costs accuracy: with SGD the rate is multiplied by the number of batches.
    Remedy: (loss / accumulation_steps).backward().
    Thresholds: two or more batches per step in most of `least` steps, and the loss within 2 % of the criterion's value.
    Adam does not mind a constant factor: info.
    Measured: no measurement yet.
    """
    for steps in _by_optimizer(loop_trace):
        seen = [s for s in steps if s.cleared and s.backwards == s.batches]
        count = int(median([s.batches for s in seen])) if len(seen) >= least else 1
        whole = [s for s in seen if s.loss and s.criterion and abs(s.loss / s.criterion - 1) < same]
        if count >= 2 and len(whole) > len(seen) / 2:
            adaptive = loop_trace.optimizers[steps[0].optimizer].adaptive
            say = info if adaptive else warning
            yield say(
                f"Each step adds up the gradients of {count} batches, and the loss is not divided by {count}: the rate "
                f"{steps[-1].rate:g} acts like {count * steps[-1].rate:g}.",
                f"(loss / {count}).backward()",
                where=loop_trace.backward_at,
                batches=count,
            )


@check("loop.inplace_weights")
def inplace_weights(loop_trace: LoopTrace, *, much: float = 0.3, least: int = 2) -> Verdicts:
    """The weights are overwritten between two steps.

    What it does: compares a few weights after each step with what the next backward() finds, and with what they were at first.
    Why it costs accuracy: what was learned is replaced, by a new initialization or an old checkpoint.
    Remedy: initialize or load once, before the loop.
    Thresholds: a relative change of 30 % of a weight matrix, in `least` steps or once between epochs; or, of whatever size, back to
    the very numbers of before the first step while the optimizer keeps what it remembers (a range test of rates sets back both).
    Other smaller ones are an info: clipped weights (WGAN), norm constraints and slow weights (Lookahead) change by less.
    Measured: no measurement yet.
    """
    steps = loop_trace.steps
    changed = [s for s in steps if s.overwritten > much]
    first = [s for i, s in enumerate(steps) if i and s.epoch != steps[i - 1].epoch]
    if len(changed) >= least or any(s in first for s in changed):
        worst = max(changed, key=lambda s: s.overwritten)
        when = (
            "at the start of an epoch"
            if all(s in first for s in changed)
            else f"before {len(changed)} of {len(steps)} steps"
        )
        yield warning(
            f"Something other than the optimizer changes the weights {when}, by {worst.overwritten:.0%}.",
            "Initialize or load the model once, before the loop over the epochs.",
            where=worst.where,
            times=len(changed),
        )
    elif any(s.returned for s in first):
        back = next(s for s in first if s.returned)
        yield warning(
            f"Epoch {back.epoch} begins with the weights of before the first step: what was learned until then is gone.",
            "model.load_state_dict(...) once, before the loop over the epochs",
            where=back.where,
            epoch=back.epoch,
        )
    elif any(s.overwritten > 1e-6 for s in steps):
        times = sum(s.overwritten > 1e-6 for s in steps)
        yield info(
            f"Something other than the optimizer changes the weights a little before {times} of {len(steps)} steps.",
            "Nothing, if weights are clipped or averaged on purpose.",
            where=steps[-1].where,
        )


@check("clip.before_unscale", references=(AMP,))
def before_unscale(loop_trace: LoopTrace) -> Verdicts:
    """Gradients are clipped while the GradScaler still has them multiplied.

    What it does: notes the order of scale(), unscale_() and clip_grad_norm_().
    Why it costs accuracy: with a scale of 65536 nearly every gradient is cut to a tiny part.
    Remedy: scaler.unscale_(optimizer) before clip_grad_norm_().
    Thresholds: none; the order.
    Measured: no measurement yet.
    """
    for clip in loop_trace.clips:
        if clip.scaled:
            yield critical(
                f"clip_grad_norm_ cuts gradients to {clip.limit:g} that are still multiplied by the scaler's scale.",
                "scaler.unscale_(optimizer)\nclip_grad_norm_(...)\nscaler.step(optimizer)",
                where=clip.where,
            )


def _by_optimizer(trace: LoopTrace) -> Iterator[list[StepSeen]]:
    for number in sorted({s.optimizer for s in trace.steps}):
        yield [s for s in trace.steps if s.optimizer == number]


CHECKS = (
    zero_grad_missing,
    step_missing,
    backward_missing,
    detached,
    graph_accumulated,
    accumulation_not_divided,
    inplace_weights,
    before_unscale,
)
