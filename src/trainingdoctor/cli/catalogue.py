"""`trainingdoctor checks` and `trainingdoctor explain CODE`: the catalogue, and one check's manual. No torch."""

import json
import sys
from typing import Annotated

import typer

from trainingdoctor.check import Check
from trainingdoctor.cli.completing import codes
from trainingdoctor.errors import UserError


def checks(
    format: Annotated[str, typer.Option("--format", help="text, json or markdown.")] = "text",
) -> None:
    """List every check: code, cost, and what it finds."""
    from rich.console import Console
    from rich.text import Text

    from trainingdoctor.registry import areas, load_registry

    registry = load_registry()
    known = list(registry.checks.values())
    if format == "json":
        rows = [{"code": c.code, "cost": c.cost.value, "title": c.title, "explains": list(c.explains)} for c in known]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    if format == "markdown":
        sys.stdout.write(_markdown(known))
        return
    if format != "text":
        raise UserError(f"--format {format}: use text, json or markdown")
    console = Console()
    for area in areas(known):
        console.print(Text(f"\n{area}", "bold"))
        for check in (c for c in known if c.area == area):
            console.print(Text(f"  {check.code:34} {check.cost.value:8} {check.title}"))
    console.print(Text(f"\n{len(known)} checks. `trainingdoctor explain CODE` prints one check's manual.", "dim"))
    for sentence in registry.broken:
        console.print(Text(f"† {sentence}", "magenta"))


def _markdown(known: list[Check]) -> str:
    """The catalogue as checks/README.md, with what `fix` does about each."""
    from trainingdoctor.remedy.fix import load_fixes

    fixes = load_fixes()
    done = {code: fix.title for code, fix in fixes.items()}
    rows = "".join(f"| `{c.code}` | {c.cost.value} | {c.title} | {done.get(c.code, '')} |\n" for c in known)
    return (
        f"# The {len(known)} checks\n\nMade by `trainingdoctor checks --format markdown`; `trainingdoctor explain CODE` prints a "
        f"manual. The last column is what `trainingdoctor fix` does about it.\n\n| code | cost | finds | fix |\n|---|---|---|---|\n{rows}"
    )


def explain(
    code: Annotated[
        str, typer.Argument(autocompletion=codes, help="A code such as lr.too_high, or an area such as lr.")
    ],
) -> None:
    """Print the manual of a check."""
    from rich.console import Console
    from rich.text import Text

    from trainingdoctor.manual import manual
    from trainingdoctor.registry import did_you_mean, load_registry

    registry = load_registry()
    found = registry.matching(code)
    if not found:
        raise UserError(
            f"no check has the code {code!r}.{did_you_mean(code, registry.checks)} `trainingdoctor checks` lists them."
        )
    console = Console()
    for check in found:
        console.print(Text(f"{check.code}  ({check.cost.value})", "bold"))
        console.print(Text(manual(check)))
        settings = [f"{name} = {t.default!r}" for name, t in check.thresholds.items()]
        if settings:
            console.print(Text(f'\n[tool.trainingdoctor.checks."{check.code}"]\n' + "\n".join(settings), "green"))
        if check.explains:
            console.print(Text(f"\nExplains: {', '.join(check.explains)}"))
        for reference in check.references:
            console.print(Text(f"Reference: {reference}"))
        console.print()
