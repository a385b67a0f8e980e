"""`trainingdoctor verify my_config.py`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainingdoctor.aside import aside
from trainingdoctor.cli.completing import codes
from trainingdoctor.cli.exits import FINDINGS, HEALTHY
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.remedy.cure import Cure
    from trainingdoctor.runs import Runs
    from trainingdoctor.verify.execute import Executor
    from trainingdoctor.verify.plan import Variant
    from trainingdoctor.verify.task import Size, Task
    from trainingdoctor.verify.verify import Verification

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def verify(
    config: Annotated[Path, typer.Argument(help="The config before.", show_default=False)],
    other: Annotated[Path | None, typer.Argument(help="The config after, in another file.", show_default=False)] = None,
    with_fixes: Annotated[
        bool,
        typer.Option("--with-fixes", help="After is what `fix` makes of the config; each fix is tried by itself, too."),
    ] = False,
    budget: Annotated[str, typer.Option(help="Time for all trainings: 300, 90s, 10m, 2h.")] = "10m",
    seeds: Annotated[
        int, typer.Option(min=1, help="Trainings of each variant; from one seed no difference can be told.")
    ] = 3,
    executor: Annotated[str, typer.Option(help="Where the trainings run: local or ray.")] = "local",
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time, with local.")] = 1,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster.  [default: one on this machine]")] = None,
    select: Annotated[
        list[str] | None, typer.Option(autocompletion=codes, help="Fix only these: a code or a prefix.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(autocompletion=codes, help="Leave out a code or prefix, with a reason.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Diagnose without trial trainings.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the fixes if they improve the accuracy.")] = False,
    device: Annotated[str | None, typer.Option(help="Train on this device.  [default: where the model is]")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for each diagnosis.  [default: 600]")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the figures to this JSON file, or a page to this HTML file.")
    ] = None,
) -> None:
    """Train before and after under equal budgets, and say what the change gains, with its interval.

    Trainings are short: a part of the data, few epochs, and the whole schedule pressed into them; the same samples, orders and
    seeds for all. An interrupted run goes on where it was. Exit codes: 0 improved (or only measured), 1 no difference beyond
    noise, or worse.
    """
    from trainingdoctor.cli.deliver import check_writable
    from trainingdoctor.cli.deliver import write as write_text
    from trainingdoctor.cli.streams import reserved_stdout
    from trainingdoctor.render.verification import print_verification
    from trainingdoctor.runs import Runs
    from trainingdoctor.verify import execute
    from trainingdoctor.verify.judge import Judgement
    from trainingdoctor.verify.verify import AFTER, as_dict

    if other is not None and with_fixes:
        raise UserError("give another config or --with-fixes, not both")
    if output is not None:
        check_writable(output)
    seconds, runs = _seconds(budget), Runs.beside(config)
    run = execute.executor(executor, jobs, address)
    with reserved_stdout() as stdout:
        cure = None
        if with_fixes:
            from trainingdoctor.cli.cured import cure_of, subject_for

            cure = cure_of(subject_for(config, select, ignore, quick, time_limit, device, 0))
        variants = _variants(cure, other)
        task, available = _task(config, variants, device)
        verification = _verified(task, available, seconds, seeds, run, jobs, runs, variants)
        print_verification(verification, cure, config.name, stdout)
        figures = json.dumps(as_dict(verification, config), indent=1)
        if output is not None:
            write_text(output, _page(verification, cure, config) if output.suffix.lower() == ".html" else figures)
        improved = verification.whole is not None and verification.whole.judgement is Judgement.IMPROVED
        after = verification.samples.get(AFTER)
        _keep(runs, config, cure, figures, after.mean if after else None)
        if write and improved and cure is not None:
            cure.patch.write()
            print("written", file=sys.stderr)  # noqa: T201
    raise typer.Exit(HEALTHY if improved or verification.whole is None else FINDINGS)


def _page(verification: Verification, cure: Cure | None, config: Path) -> str:
    from trainingdoctor.render.verification_html import render_verification

    return render_verification(verification, cure, config.name)


def _seconds(budget: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", budget.strip())
    if found is None or not float(found[1]):
        raise UserError(f"--budget {budget}: give seconds, or a number with s, m or h, such as 10m")
    return float(found[1]) * UNITS[found[2] or "s"]


def _variants(cure: Cure | None, other: Path | None) -> list[Variant]:
    from trainingdoctor.verify.plan import Variant
    from trainingdoctor.verify.variants import variants_of
    from trainingdoctor.verify.verify import AFTER, BEFORE

    if cure is not None and cure.patch.after:
        return variants_of(cure)
    return [Variant(BEFORE)] if other is None else [Variant(BEFORE), Variant(AFTER, config=other.resolve())]


def _task(config: Path, variants: list[Variant], device: str | None) -> tuple[Task, Size]:
    """What all trainings share, and how large the data sets and the longest plan are."""
    from trainingdoctor.verify.plan import EVALUATION
    from trainingdoctor.verify.sizes import sizes_of
    from trainingdoctor.verify.task import Size, Task

    empty = Size(0, 0, 0)
    task = Task("", config.resolve(), 0, empty, device=device)
    sizes = [sizes_of(v.task(task)) for v in variants[:2]]
    longest = max(s.epochs for s in sizes)
    most = max(s.samples for s in sizes)
    return task, Size(most, longest, min(EVALUATION, *(s.evaluation for s in sizes)), longest)


def _verified(
    task: Task,
    available: Size,
    budget: float,
    seeds: int,
    run: Executor,
    jobs: int,
    runs: Runs,
    variants: list[Variant],
) -> Verification:
    from trainingdoctor.verify.verify import Verifier

    return Verifier(task, available, budget, seeds, run, jobs, runs, say=aside).verify(variants)


def _keep(runs: Runs, config: Path, cure: Cure | None, figures: str, accuracy: float | None) -> None:
    from trainingdoctor.render.json import render_json

    files = {"verify.json": figures}
    if cure is not None:
        files |= {"report.json": render_json(cure.after), "fixes.diff": cure.patch.diff(config.resolve().parent)}
    verdict = cure.after.verdict.value if cure else "measured"
    runs.add("verify", config, verdict, cure.after.root_causes if cure else (), accuracy, files)
