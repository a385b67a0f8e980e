"""Trainings before and after as one HTML file: the accuracies, what each fix carries, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator

from trainingdoctor.remedy.cure import Cure
from trainingdoctor.render.html import encoded, template
from trainingdoctor.render.pictures import Exhibit, Picture, Table, png
from trainingdoctor.render.verification import accuracy, gained
from trainingdoctor.verify.judge import Difference, Judgement
from trainingdoctor.verify.verify import AFTER, BEFORE, Verification

# As the verdicts of a diagnosis are coloured.
COLOURS = {Judgement.IMPROVED: "healthy", Judgement.WORSE: "unwell"}


def render_verification(verification: Verification, cure: Cure | None, name: str) -> str:
    """The page. name: of the config."""
    from trainingdoctor import __version__

    size, whole = verification.plan.size, verification.whole
    return template("verification.html.j2").render(
        name=name,
        judgement="measured" if whole is None else whole.judgement.value,
        colour="undecided" if whole is None else COLOURS.get(whole.judgement, "undecided"),
        difference="" if whole is None else gained(whole),
        size=f"{size.epochs} epochs of {size.samples:,} samples, accuracy on {size.evaluation:,} evaluation samples",
        pictures=encoded(list(_exhibits(verification))),
        changes=[] if cure is None else [(p.code, p.title) for p in cure.patch.proposals],
        left=[] if cure is None else [(p.code, p.finding.message, p.reason) for p in cure.left],
        left_out=[v.name for v in verification.plan.left_out],
        version=__version__,
    )


def _exhibits(verification: Verification) -> Iterator[Exhibit]:
    from trainingdoctor.plots.accuracy import draw

    samples = verification.samples
    told = {name: accuracy(sample, verification) for name, sample in samples.items()}
    if any(sample.values for sample in samples.values()):
        words = "; ".join(f"{name} {told[name].replace('  ', ' ')}" for name in (BEFORE, AFTER) if name in told)
        yield Picture("Accuracy before and after", f"{words}.", png(draw(samples)))
    rows = tuple((name, text) for name, text in told.items())
    yield Table(
        "Every variant",
        "Mean accuracy, with its 95 % interval where there are several seeds.",
        ("variant", "accuracy"),
        rows,
    )
    if verification.parts:
        parts = tuple((part.code, _cell(part.alone), _cell(part.left_out)) for part in verification.parts)
        head = ("fix", "alone", "what it adds to the others")
        yield Table("What each fix carries", "Differences in points of accuracy, paired by seed.", head, parts)


def _cell(difference: Difference | None) -> str:
    return "not trained" if difference is None else f"{difference.judgement.value}: {gained(difference)}"
