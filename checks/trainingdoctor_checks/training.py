"""The training as a whole: does a step of it run at all?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trainingdoctor import Note, Verdicts, check, critical


class Failure(Protocol):
    """What the user's code raised: str(failure) is the sentence, `where` is file:line."""

    stage: str
    where: str | None


@check("training.raises")
def raises(failures: Sequence[Failure]) -> Verdicts:
    """The training's own code raises an error.

    What it does: reports every error that came out of the model, the criterion, the loaders, the data set, the
    optimizer or the scheduler while the other checks called them as a training loop would.
    Why it costs accuracy: a training that stops with an error reaches none; one whose error is swallowed trains on
    something else than was meant.
    Remedy: mend the line that is named; then diagnose again, because the checks behind it could not run.
    Thresholds: none.
    Measured: no measurement; it is an error.
    """
    for failure in dict.fromkeys(map(str, failures)):
        first = next(f for f in failures if str(f) == failure)
        yield critical(
            f"{failure}.",
            f"Run {first.stage} on one batch by itself and mend what it raises; then run the diagnosis again.",
            where=first.where or (),
            stage=first.stage,
        )
    if not failures:
        yield Note("everything that was called ran without an error")


CHECKS = (raises,)
