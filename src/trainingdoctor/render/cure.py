"""A cure for people: what is changed and why, the difference, and what is left."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from trainingdoctor.cli.deliver import send
from trainingdoctor.remedy.cure import Cure
from trainingdoctor.remedy.fix import Proposal
from trainingdoctor.render.terminal import HEADLINES
from trainingdoctor.render.unexamined import unexamined


def print_cure(cure: Cure, difference: str, backups: Sequence[str], stdout: TextIO) -> None:
    """Draw it on a stream. backups: names of the files that were kept, none where nothing was written."""
    console = Console(file=stdout)
    with console.capture() as drawn:
        _draw(cure, difference, backups, console)
    send(drawn.get(), stdout)


def cure_text(cure: Cure, difference: str, backups: Sequence[str] = ()) -> str:
    """The same as a string."""
    buffer = io.StringIO()
    _draw(cure, difference, backups, Console(file=buffer, width=100))
    return buffer.getvalue()


def _draw(cure: Cure, difference: str, backups: Sequence[str], console: Console) -> None:
    changes = cure.patch.proposals
    if not changes:
        console.print(Text("nothing to change", "bold"))
    for proposal in changes:
        _line(console, "+", f"{proposal.code}  {proposal.title}  ({_places(proposal)})", "green")
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
        _line(console, "!", f"{proposal.code}: {proposal.finding.message}", "yellow")
        _line(console, " ", f"{proposal.finding.remedy}  [not changed: {proposal.reason}]", "")
    for reason, codes in unexamined(cure.after).items():
        _line(console, "-", f"not examined: {reason}: {', '.join(codes)}", "dim")
    word, style = HEADLINES[cure.after.verdict]
    console.print(Text.assemble("\n", (word, style), f"  {'as changed' if changes else 'as it is'}"))
    if backups:
        console.print(Text(f"written; the files as they were: {', '.join(backups)}"))
    elif changes:
        console.print(Text("nothing was written: --write writes it"))


def _places(proposal: Proposal) -> str:
    places = list(dict.fromkeys(str(edit.place) for edit in proposal.edits))
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")


def _line(console: Console, mark: str, text: str, style: str) -> None:
    lines = Text(text, style).wrap(console, max(console.width - 4, 20))
    for i, line in enumerate(lines):
        console.print(Text(f"{mark if i == 0 else ' '} ", style) + line, soft_wrap=True)
