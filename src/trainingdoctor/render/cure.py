"""A cure for people: what is changed and why, the difference, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from trainingdoctor.cli.deliver import send_drawn
from trainingdoctor.remedy.cure import Cure
from trainingdoctor.remedy.fix import Proposal
from trainingdoctor.render.terminal import HEADLINES, in_part, item
from trainingdoctor.render.unexamined import unexamined
from trainingdoctor.report import Verdict


def print_cure(cure: Cure, difference: str, backups: Sequence[str], stdout: TextIO) -> None:
    """Draw it on a stream. backups: names of the files that were kept, none where nothing was written."""
    send_drawn(lambda console: _draw(cure, difference, backups, console), stdout)


def _draw(cure: Cure, difference: str, backups: Sequence[str], console: Console) -> None:
    changes = cure.patch.proposals
    if not changes:
        console.print(Text("nothing to change", "bold"))
    for proposal in changes:
        item(console, "+", f"{proposal.code}  {proposal.title}  ({_places(proposal)})", "green", indent=0)
    if difference:
        console.print()
        if console.is_terminal:
            console.print(Syntax(difference.rstrip("\n"), "diff", background_color="default"))
        else:
            # As it is: rich would turn tabs into blanks, and the difference could not be applied.
            console.out(difference.rstrip("\n"), highlight=False)
    if cure.left:
        console.print(Text("\nleft to you:", "bold"))
    for proposal in cure.left:
        item(console, "!", f"{proposal.code}: {proposal.finding.message}", "yellow", indent=0)
        item(console, " ", f"{proposal.finding.remedy}  [not changed: {proposal.reason}]", "", indent=0)
    for reason, codes in unexamined(cure.after).items():
        item(console, "-", f"not examined: {reason}: {', '.join(codes)}", "dim", indent=0)
    word, style = HEADLINES[cure.after.verdict]
    part = in_part(cure.after) if cure.after.verdict is Verdict.HEALTHY else ""
    console.print(Text.assemble("\n", (word, style), f"  {'as changed' if changes else 'as it is'}{part}"))
    if backups:
        console.print(Text(f"written; the files as they were: {', '.join(backups)}"))
    elif changes:
        console.print(Text("nothing was written: --write writes it"))


def _places(proposal: Proposal) -> str:
    places = list(dict.fromkeys(str(edit.place) for edit in proposal.edits))
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
