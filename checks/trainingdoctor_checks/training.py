"""The training as a whole: does a step of it run at all?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trainingdoctor import Finding, Note, Verdicts, check, critical, info

# The stage of what a script raised that was run.
SCRIPT = "the script"


class Failure(Protocol):
    """What the user's code raised, or gave in its place: str(failure) is the sentence, `where` is file:line.

    went_on: it was done in another way, and what comes after it was examined.  loop_did: the watched loop did the same without
    an error.
    """

    stage: str
    advice: str
    where: str | None
    retried_with: int | None
    went_on: bool
    loop_did: bool


@check("training.raises")
def raises(failures: Sequence[Failure]) -> Verdicts:
    """The training's own code raises an error.

    What it does: reports every error that came out of the model, the criterion, the loaders, the data set, the
    optimizer or the scheduler while the other checks called them as a training loop would.
    Why it costs accuracy: a training that stops with an error reaches none; one whose error is swallowed trains on
    something else than was meant.
    Remedy: mend the line that is named; then diagnose again, because the checks behind it could not run.
    Thresholds: where a script raised by itself, what else raises in the same file, or without a line of its own, is not
    told. What the script's own loop did twice without an error is worth knowing, no more: repeated by itself it lacks
    something that the loop has.
    Measured: no measurement; it is an error.
    """
    told: set[tuple[str, str | None]] = set()
    # A script that raised may call its model otherwise than is tried behind it, and had its data from elsewhere.
    ended = [_file(f) for f in failures if f.stage == SCRIPT and not f.went_on]
    for failure in (f for f in failures if f.retried_with is None):
        follows = failure.stage != SCRIPT and ended and (not failure.where or _file(failure) in ended)
        # The same line raises with other numbers for every batch size that it is tried with.
        kind = str(failure).partition(":")[0]
        if follows or (kind, failure.where) in told:
            continue
        told.add((kind, failure.where))
        yield (
            _elsewhere(failure)
            if failure.loop_did
            else critical(
                f"{failure}.",
                _remedy(failure),
                where=failure.where or (),
                stage=failure.stage,
            )
        )
    if not told:
        yield from _smaller(failures)
    if not failures:
        yield Note("everything that was called ran without an error")


def _remedy(failure: Failure) -> str:
    advice = failure.advice[:1].upper() + failure.advice[1:]
    if failure.went_on:
        return f"{advice}."
    if advice:
        return f"{advice}; then run the diagnosis again: without it most could not be examined."
    return (
        f"Mend this first ({failure.stage}), then run the diagnosis again: what comes after it could not be examined."
    )


def _file(failure: Failure) -> str:
    return (failure.where or "").partition(":")[0]


def _elsewhere(failure: Failure) -> Finding:
    return info(
        f"{failure}, where the step of the watched loop was repeated by itself; the loop made it without an error.",
        "Nothing in the training: what needs such a repeated step could not be examined.",
        where=failure.where or (),
        stage=failure.stage,
    )


def _smaller(failures: Sequence[Failure]) -> Verdicts:
    """What ran out of memory, and was measured on less."""
    if failures:
        last = min(failures, key=lambda f: f.retried_with or 0)
        yield info(
            f"{last}: it was measured again on a smaller batch, of {last.retried_with} samples.",
            "Free memory (`trainingdoctor env` tells who holds it). If the training itself runs out of it: a smaller batch_size.",
            where=last.where or (),
            samples=last.retried_with,
        )


CHECKS = (raises,)
