"""Fix, look again, and fix what came to light, until nothing is left that could be fixed; every step without writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trainingdoctor.errors import UserError
from trainingdoctor.remedy.examine import Examination
from trainingdoctor.remedy.fix import Proposal
from trainingdoctor.remedy.patch import Patch, patched
from trainingdoctor.report import Report

# A fix brings others to light: a rate that is cured shows a schedule that does not fit it.
ROUNDS = 4
Texts = Mapping[Path, str]
Choose = Callable[[Proposal, Texts], bool]


@dataclass(frozen=True)
class Cure:
    """before, after: reports, the same one where nothing was changed.  patch: from the files as they are to the last state.

    left: what still stands after it, each with the reason why it was not fixed.  first: the proposals of the first round, on
    the files as they are; the later ones are on what the first made of them.
    """

    before: Report
    after: Report
    patch: Patch
    left: tuple[Proposal, ...]
    first: tuple[Proposal, ...] = ()

    @property
    def cured(self) -> tuple[str, ...]:
        """Codes of the applied fixes, each once."""
        return tuple(dict.fromkeys(p.code for p in self.patch.proposals))


@dataclass
class Course:
    """The rounds from one beginning. excluded: codes to leave alone, with the reason.  before: texts of the files that change."""

    last: Examination
    excluded: dict[str, str]
    before: dict[Path, str] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    rounds: list[list[Proposal]] = field(default_factory=list)

    @property
    def done(self) -> tuple[Proposal, ...]:
        """What was changed in all rounds."""
        return tuple(p for made in self.rounds for p in made)

    @property
    def standing(self) -> set[str]:
        """What was found last."""
        return {f.code for f in self.last.report.findings}

    def left(self) -> tuple[Proposal, ...]:
        """What still stands, with the reason."""
        unfinished = "it is still there after all rounds of changes"
        return tuple(
            replace(p, edits=(), reason=self.excluded.get(p.code) or p.reason or unfinished)
            for p in self.last.proposals
        )


@dataclass(frozen=True)
class Physician:
    """examine: diagnose with these texts in place of the files.  begins: load them and try a batch; both raise UserError.

    choose: whether a proposal is wanted, given it and the texts that it changes.
    """

    examine: Callable[[Texts], Examination]
    begins: Callable[[Texts], None]
    choose: Choose = lambda *_: True
    rounds: int = ROUNDS

    def cure(self) -> Cure:
        """Patch and examine in turns. A fix after which its finding still stands is taken back, with all that followed."""
        first = self.examine({})
        excluded: dict[str, str] = {}
        while True:
            course = Course(first, dict(excluded))
            self._run(course)
            useless = {p.code for p in course.done if p.code in course.standing}
            if not useless:
                break
            excluded |= dict.fromkeys(useless, "the change was tried, and the finding still stands after it")
        patch = Patch(course.before, course.texts, course.done)
        alone = tuple(course.rounds[0]) if course.rounds else ()
        return Cure(first.report, course.last.report, patch, course.left(), alone)

    def _run(self, course: Course) -> None:
        for _ in range(self.rounds):
            wanted = [p for p in course.last.proposals if p.edits and p.code not in course.excluded]
            unwanted = [p for p in wanted if not self.choose(p, course.texts)]
            course.excluded |= {p.code: "it was not chosen" for p in unwanted}
            patch = self._loadable([p for p in wanted if p not in unwanted], course.texts)
            course.excluded |= {p.code: p.reason for p in patch.refused}
            if not patch.after:
                return
            course.rounds.append(list(patch.applied))
            course.before |= {file: text for file, text in patch.before.items() if file not in course.before}
            course.texts |= patch.after
            course.last = self.examine(course.texts)

    def _loadable(self, proposals: Sequence[Proposal], texts: Texts) -> Patch:
        """All of them; where the training does not begin with that, those with which it does, one after the other."""
        patch = patched(proposals, texts)
        if not patch.after or (why := self._why_not(patch, texts)) is None or why == self._why_not(None, texts):
            return patch
        kept: list[Proposal] = []
        refused: list[Proposal] = []
        for proposal in patch.applied:
            why = self._why_not(patched([*kept, proposal], texts), texts)
            if why is None:
                kept.append(proposal)
            else:
                refused.append(replace(proposal, edits=(), reason=f"with the change, {why}"))
        final = patched(kept, texts)
        return replace(final, proposals=(*final.proposals, *refused, *patch.refused))

    def _why_not(self, patch: Patch | None, texts: Texts) -> str | None:
        try:
            self.begins({**texts, **(patch.after if patch else {})})
        except UserError as error:
            return str(error)
        return None
