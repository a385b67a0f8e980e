"""What becomes of gradients between backward() and the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, critical, info, warning

if TYPE_CHECKING:
    from trainingdoctor.observing.seen import StepSeen
    from trainingdoctor.observing.trace import LoopTrace

AMP = "https://pytorch.org/docs/stable/notes/amp_examples.html"
ZERO_GRAD = "https://pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html"


@check(
    "loop.gradients_lost",
    explains=(
        "loop.detached",
        "loop.zero_grad_missing",
        "loop.accumulation_not_divided",
        "model.unused_parameters",
        "optimizer.missing_parameters",
    ),
    references=(ZERO_GRAD,),
)
def gradients_lost(loop_trace: LoopTrace, *, least: int = 3) -> Verdicts:
    """Gradients are cleared before a step uses them.

    What it does: looks after each backward() whether gradients came, and before the next one and before the step whether they are
    still there.
    Why it costs accuracy: cleared between backward() and step(), nothing is learned; cleared before each of the batches that are
    accumulated, all of them but the last are computed in vain.
    Remedy: optimizer.zero_grad() once per step, right after step() or before the first backward() that belongs to it.
    Thresholds: more than half of `least` or more steps with nothing left to step with; where a slow training made fewer
    steps, each of them (a warning); or more than half of two or more steps over two
    batches and more with one backward() each, of which only the last one's gradients are left, `least` times at least. The second only where a single optimizer steps: those of
    GANs fill each other's gradients.
    Measured: no measurement yet.
    """
    steps = [s for s in loop_trace.steps if s.backwards]
    gone = [s for s in steps if s.empty and s.lost == s.backwards]
    alone = len({s.optimizer for s in steps}) == 1
    cut = [s for s in steps if alone and s.backwards == s.batches == s.lost + 1 > 1]
    few = 0 < len(gone) == len(steps) < least and alone
    if few or (len(gone) >= least and len(gone) > len(steps) / 2):
        say = warning if few else critical
        yield say(
            f"Before {len(gone)} of {len(steps)} steps the gradients that backward() brought were cleared: there is nothing to step with.",
            "optimizer.zero_grad() before loss.backward(), or after optimizer.step()",
            where=gone[-1].where,
            steps=len(gone),
        )
    elif len(cut) >= 2 and sum(s.lost for s in cut) >= least and len(cut) > len(steps) / 2:
        yield critical(
            f"Each step follows {cut[-1].batches} batches, and gradients are cleared before each of them: only the last one's are used.",
            _once_per_step(cut[-1]),
            where=cut[-1].where,
            batches=cut[-1].batches,
        )
    elif steps:
        yield Note(f"gradients were there at {len(steps) - len(gone)} of {len(steps)} steps")


def _once_per_step(step: StepSeen) -> str:
    return f"if (i + 1) % {step.batches} == 0: optimizer.step(); optimizer.zero_grad(), and no other zero_grad() in the loop"


@check("precision.scaler_bypassed", explains=("lr.too_high", "loss.diverges", "clip.too_small"), references=(AMP,))
def scaler_bypassed(loop_trace: LoopTrace, *, least: int = 3) -> Verdicts:
    """The optimizer steps with gradients that the GradScaler still has multiplied.

    What it does: notes at each step whether scale() was called since the gradients were last divided by unscale_(), which
    scaler.step() does by itself.
    Why it costs accuracy: gradients are 65536 times too large: the weights of SGD fly away, and infinite ones are not left out.
    Remedy: scaler.step(optimizer) in place of optimizer.step().
    Thresholds: `least` steps, and more than half of all. An info for adaptive ones, whose step does not depend on a
    constant factor.
    Measured: no measurement; arithmetic.
    """
    scaled = [s for s in loop_trace.steps if s.scaled]
    if len(scaled) >= least and len(scaled) > len(loop_trace.steps) / 2:
        say = info if all(loop_trace.optimizers[s.optimizer].adaptive for s in scaled) else critical
        yield say(
            f"In {len(scaled)} of {len(loop_trace.steps)} steps the gradients were still multiplied by the GradScaler's scale.",
            "scaler.step(optimizer); scaler.update(), in place of optimizer.step()",
            where=scaled[-1].where,
            steps=len(scaled),
        )


CHECKS = (gradients_lost, scaler_bypassed)
