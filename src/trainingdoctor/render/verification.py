"""What trainings before and after told, for people."""

from __future__ import annotations

from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainingdoctor.cli.deliver import send_drawn
from trainingdoctor.remedy.cure import Cure
from trainingdoctor.verify.judge import Difference, Judgement, Sample, interval
from trainingdoctor.verify.verify import AFTER, BEFORE, Verification

# Running statistics with the usual momentum of 0.1 have forgotten their beginning after some 50 steps (0.9^50 = 0.5 %).
FEW = 100
STYLES = {Judgement.IMPROVED: "bold green", Judgement.WORSE: "bold red"}


def print_verification(verification: Verification, cure: Cure | None, name: str, stdout: TextIO) -> None:
    """Draw it on a stream."""
    send_drawn(lambda console: _draw(verification, cure, name, console), stdout)


def _draw(verification: Verification, cure: Cure | None, name: str, console: Console) -> None:
    size, samples = verification.plan.size, verification.samples
    if cure is not None and not cure.patch.after:
        console.print(Text("there is nothing to fix: only the config as it is was trained", "bold"))
    console.print(
        Text(
            f"{name}: {size.epochs} epochs of {size.samples:,} samples, the schedule pressed into them; accuracy on "
            f"{size.evaluation:,} evaluation samples after the last epoch"
        )
    )
    for variant in (BEFORE, AFTER):
        if variant in samples:
            console.print(Text(f"  {variant:8}{accuracy(samples[variant], verification)}"))
    if verification.whole is not None:
        whole = verification.whole
        console.print(
            Text.assemble("  ", (whole.judgement.value, STYLES.get(whole.judgement, "bold")), f"  {gained(whole)}")
        )
    steps = min((o.steps for o in verification.outcomes if o.accuracy is not None), default=FEW)
    if steps < FEW:
        said = f"only {steps} steps: too few for BatchNorm's statistics to settle, and for most faults to cost what they do; a larger --budget has more"
        console.print(Text(said, "yellow"))
    if verification.parts:
        console.print(_table(verification))
    if verification.plan.left_out:
        left_out = ", ".join(v.name for v in verification.plan.left_out)
        console.print(Text(f"not trained, for want of budget: {left_out}", "dim"))


def accuracy(sample: Sample, verification: Verification) -> str:
    """Mean and interval of a variant, or why there is none."""
    if sample.mean is None:
        return next(o.error for o in verification.outcomes if o.variant == sample.variant)
    spread = interval(sample.values)
    if spread is None:
        return f"{sample.mean:.2f} %  (one training: no interval)"
    return f"{sample.mean:.2f} %  ({spread[0]:.2f} to {spread[1]:.2f}, {len(sample.values)} seeds)"


def gained(difference: Difference) -> str:
    """A difference in points with its interval."""
    if difference.points is None:
        return "one of them does not train to its end"
    if difference.low is None or difference.high is None:
        return f"{difference.points:+.2f} points from one seed, which tell nothing without the noise between seeds"
    return f"{difference.points:+.2f} points ({difference.low:+.2f} to {difference.high:+.2f}, paired by seed)"


def _table(verification: Verification) -> Table:
    table = Table("fix", "alone", "what it adds to the others", box=box.SIMPLE, pad_edge=False)
    for part in verification.parts:
        table.add_row(part.code, _cell(part.alone), _cell(part.left_out))
    return table


def _cell(difference: Difference | None) -> Text:
    if difference is None:
        return Text("not trained", "dim")
    return Text(f"{difference.judgement.value}: {gained(difference)}", STYLES.get(difference.judgement, ""))
