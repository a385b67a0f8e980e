"""A page for each code, and the index of them by area: from the docstrings that `trainingdoctor explain` prints."""

from collections.abc import Iterator, Mapping

from sitepages.bench import examples, injected
from sitepages.severities import severities
from sitepages.text import escaped, fenced, prose, reference, sentence, table
from trainingdoctor import Check, Cost
from trainingdoctor.costs import measured_costs
from trainingdoctor.distributions import Spread, distributions
from trainingdoctor.manual import sections
from trainingdoctor.registry import Registry, areas, matches
from trainingdoctor.remedy.fix import Fix, load_fixes

COSTS = {
    Cost.INSPECT: "reads objects only",
    Cost.PROBE: "some batches, or a few forward and backward passes",
    Cost.TRAIN: "short trial trainings; left out by `--quick`",
}


def code_pages(registry: Registry) -> dict[str, str]:
    """The page of each code and the index, by the path in the site."""
    fixes = load_fixes()
    pages = {f"codes/{code}.md": page(check, registry, fixes) for code, check in registry.checks.items()}
    return {"codes/index.md": index(registry, fixes), **pages}


def index(registry: Registry, fixes: Mapping[str, Fix]) -> str:
    """All codes by area, with what they find, how bad that is, and whether `fix` does something about it."""
    checks = registry.checks.values()
    text = (
        f"# The {len(checks)} codes\n\nBy area. *Severity*: what the check may call what it finds. *Fix*: whether "
        "[`trainingdoctor fix`](../commands.md#fix) can rewrite the source. *Cost*: "
        + "; ".join(f"**{cost}** {told}" for cost, told in COSTS.items())
        + ".\n"
    )
    for area in areas(checks):
        rows = (
            (
                f"[`{c.code}`]({c.code}.md)",
                escaped(c.title),
                ", ".join(severities(c)),
                c.cost.value,
                "yes" if c.code in fixes else "",
            )
            for c in checks
            if c.area == area
        )
        text += f"\n## {area}\n\n" + table(("code", "finds", "severity", "cost", "fix"), rows)
    return text


def page(check: Check, registry: Registry, fixes: Mapping[str, Fix]) -> str:
    """One code's page."""
    parts = _parts(check, registry, fixes)
    body = "".join(f"\n## {heading}\n\n{text.strip()}\n" for heading, text in parts if text.strip())
    return f"---\ntitle: {check.code}\ndescription: {check.title!r}\n---\n\n# `{check.code}`\n\n{escaped(check.title)}\n{body}"


def _parts(check: Check, registry: Registry, fixes: Mapping[str, Fix]) -> Iterator[tuple[str, str]]:
    told = {heading: sentence(prose(text, registry.checks, _link)) for heading, text in sections(check).items()}
    yield "At a glance", _glance(check, fixes.get(check.code))
    yield "What it does", told.get("What it does", "")
    yield "Why it costs accuracy", f"{told.get('Why it costs accuracy', '')}\n\n{_cost(check, told)}"
    yield "Example", _example(check)
    yield "Use instead", _remedy(told, fixes.get(check.code))
    yield "Thresholds", f"{told.get('Thresholds', '')}\n\n{_thresholds(check)}"
    yield "Related", _related(check, registry)
    yield "References", "".join(f"- {reference(r)}\n" for r in check.references)


def _link(code: str) -> str:
    return f"{code}.md"


def _glance(check: Check, fix: Fix | None) -> str:
    rows = [
        ("severity", ", ".join(severities(check)) or "none: it only notes what it saw"),
        ("cost", f"{check.cost.value}: {COSTS[check.cost]}"),
        ("`trainingdoctor fix`", "can rewrite it" if fix else "cannot rewrite it"),
        ("in a terminal", f"`trainingdoctor explain {check.code}`"),
    ]
    return table(("", ""), rows)


def _cost(check: Check, told: Mapping[str, str]) -> str:
    """What was measured: by the reference run, and as the docstring says."""
    cost, said = measured_costs().get(check.code), told.get("Measured", "")
    if said.startswith("No measurement yet") or (cost is not None and said.startswith("No measurement")):
        said = ""
    lines = (
        []
        if cost is None
        else [
            f"**Measured:** {escaped(str(cost))}. All of them: [what each fault costs](../measured/anatomy-resnet20.md)."
        ]
    )
    if said:
        lines.append(f"**{'Measured elsewhere' if cost else 'Measured'}:** {said}")
    return "\n\n".join(lines) or "**Measured:** no measurement yet."


def _example(check: Check) -> str:
    """The docstring's own, and a finding that a bench recorded."""
    text, example, counted = sections(check).get("Example", ""), examples().get(check.code), injected().get(check.code)
    if text:
        text = fenced(text, "python") + "\n"
    if example is not None:
        text += (
            f"Said of the training *{escaped(example.training)}* of the benches:\n\n> {escaped(example.message)}\n\n"
        )
    if counted is not None:
        text += f"On [the fault bench](../measured/faults.md): injected {counted[0]} times, named {counted[1]} times."
    return text


def _remedy(told: Mapping[str, str], fix: Fix | None) -> str:
    return f"{told.get('Remedy', '')}\n\n" + (f"`trainingdoctor fix` does this: {escaped(fix.title)}" if fix else "")


def _thresholds(check: Check) -> str:
    if not check.thresholds:
        return ""
    values = {d.threshold: d for d in distributions().get(check.code, ())}
    rows = (
        (
            f"`{name}`",
            f"`{t.default!r}`",
            *(_spread(getattr(values.get(name), kind, None)) for kind in ("healthy", "sick")),
        )
        for name, t in check.thresholds.items()
    )
    settings = "\n".join(f"{name} = {t.default!r}" for name, t in check.thresholds.items())
    return (
        table(("threshold", "default", "compared with it, healthy trainings", "sick trainings"), rows)
        + "\nIn `pyproject.toml`, with the defaults ([settings](../settings.md)):\n\n"
        + fenced(f'[tool.trainingdoctor.checks."{check.code}"]\n{_toml(settings)}', "toml")
    )


def _toml(settings: str) -> str:
    return settings.replace("True", "true").replace("False", "false")


def _spread(spread: Spread | None) -> str:
    return "not measured" if spread is None else str(spread)


def _related(check: Check, registry: Registry) -> str:
    lines = (
        (symptoms_of(check, registry), "Where it is found, these are told as its symptoms"),
        (causes_of(check, registry), "It is told as a symptom of"),
    )
    return "\n\n".join(f"{told}: {', '.join(f'[`{c}`]({_link(c)})' for c in codes)}." for codes, told in lines if codes)


def symptoms_of(check: Check, registry: Registry) -> list[str]:
    """Codes that it explains, from whichever side that is declared."""
    return [
        c.code for c in _others(check, registry) if _names(check.explains, c.code) or _names(c.explained_by, check.code)
    ]


def causes_of(check: Check, registry: Registry) -> list[str]:
    """Codes that explain it."""
    return [
        c.code for c in _others(check, registry) if _names(c.explains, check.code) or _names(check.explained_by, c.code)
    ]


def _others(check: Check, registry: Registry) -> list[Check]:
    return [c for c in registry.checks.values() if c is not check]


def _names(patterns: tuple[str, ...], code: str) -> bool:
    return any(matches(pattern, code) for pattern in patterns)
