"""What accuracy to expect, and how large a difference the evaluation set can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor import Note, Verdicts, check, info

if TYPE_CHECKING:
    from trainingdoctor.measure.expectation import EvaluationNoise, Expectation


@check("accuracy.gap", cost="probe")
def gap(expectation: Expectation, *, above: float = 1.0, below: float = 5.0) -> Verdicts:
    """The accuracy that is hoped for is not the one that this model reaches in the literature.

    What it does: compares target_accuracy with the published accuracy of this family, size and data set
    (src/trainingdoctor/recipes.toml).
    Why it costs accuracy: it costs effort: no recipe takes ResNet-20 to 95 %; and a target far below the published
    figure hides that something is wrong.
    Remedy: the published figure as the target, or a larger model of the family.
    Thresholds: a target more than 1 point above (He et al. 2015 report 0.16 from run to run) or 5 below; an info.
    Measured: published figures, each with its source.
    """
    e = expectation
    found = f"{e.family} on {e.dataset} reaches {e.reached:g} % in the literature"
    if e.target is None or -below <= e.target - e.reached <= above:
        yield Note(f"{found} ({e.source})")
    elif e.target > e.reached:
        yield info(
            f"The target is {e.target:g} %; {found} ({e.source}).",
            f"target_accuracy = {e.reached:g}, or a larger model",
            where="target_accuracy",
            reached=e.reached,
        )
    else:
        yield info(
            f"The target is {e.target:g} %; {found} ({e.source}). A training that stays at the target has a fault.",
            f"target_accuracy = {e.reached:g}",
            where="target_accuracy",
            reached=e.reached,
        )


@check("accuracy.noise", cost="probe", references=("Bouthillier et al. 2021, arXiv:2103.03098",))
def noise(evaluation_noise: EvaluationNoise, *, point: float = 1.0, few: int = 1_000) -> Verdicts:
    """The difference being chased is smaller than what the evaluation can tell.

    What it does: computes the binomial standard error of an accuracy measured on this evaluation set.
    Why it costs accuracy: it costs none; it makes recipes look better or worse than they are, and the wrong one is
    kept.
    Remedy: more evaluation samples, several seeds, or no conclusion from such a difference.
    Thresholds: under 1,000 samples, where the standard error at 90 % is about 1 point; or a target that is within one
    standard error of the published accuracy and not equal to it. Two runs differ by their seeds on top (0.16 points in
    He et al. 2015). An info.
    Measured: arithmetic, sqrt(p (1 - p) / n).
    """
    n = evaluation_noise
    said = f"On {n.samples:,} samples an accuracy of {n.assumed:g} % has a standard error of {n.error:.2g} points"
    chased = None if n.target is None or n.reached is None else abs(n.target - n.reached)
    if n.samples < few:
        needed = int(n.assumed / 100 * (1 - n.assumed / 100) * 1e4 / (point / 4) ** 2)
        yield info(
            f"{said}: two runs that differ by less than {2 * n.error:.2g} points cannot be told apart.",
            f"about {needed:,} evaluation samples for a standard error of a quarter of a point",
            where="val_loader",
            error=n.error,
        )
    elif chased and chased < n.error:
        yield info(
            f"{said}, and the target is {chased:.2g} points from the published {n.reached:g} %.",
            "Compare means of several seeds, not single runs.",
            where="target_accuracy",
            error=n.error,
        )
    else:
        yield Note(said)


CHECKS = (gap, noise)
