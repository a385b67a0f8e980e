"""How a loop goes through its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Verdicts, check, info, warning

if TYPE_CHECKING:
    from trainingdoctor.observing.trace import LoopTrace


@check("loop.epoch_cut", explains=("data.subset", "epochs.too_few"))
def epoch_cut(loop_trace: LoopTrace, *, most: float = 1.0) -> Verdicts:
    """The loop leaves each pass through the training data after a few batches.

    What it does: notes passes that the script itself did not go through to their end before it began the next one.
    Why it costs accuracy: a `break` left from debugging, or a `return` indented too far: what is called an epoch is a few batches.
    Remedy: take the break out.
    Thresholds: two passes or more, all left after equally many batches, and all planned epochs together are less than one
    pass through the data. Where they are more, as with epochs that are defined as a number of steps, an info.
    Measured: no measurement yet.
    """
    t = loop_trace
    passes = [p for p in t.of("training") if p.batches]
    left = [p for p in passes if p.left]
    planned = t.training_batches
    if (
        len(left) < 2
        or len(left) < len(passes) - 1
        or len({p.batches for p in left}) > 1
        or not planned
        or not t.epochs
    ):
        return
    batches = left[0].batches
    seen = t.epochs * batches / planned
    say = warning if seen < most else info
    yield say(
        f"Each pass through the training data is left after {batches} of {planned:,} batches: {t.epochs} epochs are {seen:.2g} passes.",
        "no break in the loop over the batches, nor a return within it",
        where=left[0].where,
        batches=batches,
        passes=seen,
    )


CHECKS = (epoch_cut,)
