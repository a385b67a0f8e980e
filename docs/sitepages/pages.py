"""All that is generated: pages by their path in the site, and the values that written pages ask for in {{ }}."""

import inspect
from collections.abc import Callable, Iterable, Mapping

from jinja2 import Environment, StrictUndefined

from sitepages import files
from sitepages.api import api_page
from sitepages.codes import causes_of, code_pages
from sitepages.commands import commands_page
from sitepages.schema import schema_tables
from sitepages.text import escaped, fenced, prose, table
from sitepages.thresholds import checks_table, evidence_table
from trainingdoctor import remedy
from trainingdoctor.costs import measured_costs
from trainingdoctor.registry import Registry, areas
from trainingdoctor.settings import Settings

# Of the public names of trainingdoctor.remedy, those that are yielded by no fix.
NO_EDITS = ("CallSite", "Edit", "Fix", "NotFixable", "Place", "Proposal", "Provenance", "fix")


def generated(registry: Registry) -> dict[str, str]:
    """Every generated page."""
    copied = {page: files.linked(files.read(path), page) for path, page in {**files.PAGES, **files.measured()}.items()}
    return {**code_pages(registry), "commands.md": commands_page(), "python.md": api_page(), **copied}


def navigation(registry: Registry) -> list[object]:
    """The codes by area, behind their index."""
    checks = registry.checks.values()
    pages = {area: [f"codes/{c.code}.md" for c in checks if c.area == area] for area in areas(checks)}
    return ["codes/index.md", *({area: paths} for area, paths in pages.items())]


def filled(text: str, page: str, registry: Registry) -> str:
    """A written page with its values. Raises jinja2.UndefinedError, KeyError or IndexError for one that is not there."""
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(text)
    return template.render(_values(page, registry))


def _values(page: str, registry: Registry) -> Mapping[str, Callable[..., object]]:
    return {
        "codes": lambda: len(registry.checks),
        "figure": _figure,
        "percent": lambda name, key: f"{100 * float(_figure(name, key)):g} %",
        "sentence": _sentence,
        "rows": _rows,
        "cell": _cell,
        "readme": lambda heading: files.linked(files.section("README.md", heading), page),
        "source": lambda path, language="python": fenced(files.read(path), language),
        "causes": lambda code: _causes(code, registry),
        "finds": lambda *codes: _finds(codes, registry),
        "area": lambda name: _finds((c.code for c in registry.checks.values() if c.area == name), registry),
        "default": lambda key: f"`{getattr(Settings(), key)}`",
        "edits": _edits,
        "schema": schema_tables,
        "thresholds": lambda: checks_table(registry),
        "measurements": lambda: evidence_table(registry),
    }


def _figure(name: str, key: str) -> str:
    """One value of the table `figure | value` of benchmarks/results/NAME.md."""
    for rows in files.tables(f"benchmarks/results/{name}.md"):
        if rows[0] == ["figure", "value"]:
            return dict(row[:2] for row in rows)[key]
    raise KeyError(name)


def _sentence(name: str, word: str) -> str:
    """The line of benchmarks/results/NAME.md that begins with a number and holds the word."""
    lines = files.read(f"benchmarks/results/{name}.md").splitlines()
    return next(line for line in lines if line[:1].isdigit() and word in line)


def _cell(name: str, row: str, head: str) -> str:
    """One value of the first table of benchmarks/results/NAME.md, in the row that begins so."""
    heads, _, *rows = files.tables(f"benchmarks/results/{name}.md")[0]
    return {row[0]: row for row in rows}[row][heads.index(head)]


def _rows(name: str, number: int = 0, columns: int | None = None, first: int | None = None) -> str:
    """A table of benchmarks/results/NAME.md: its first columns and rows."""
    heads, _, *rows = files.tables(f"benchmarks/results/{name}.md")[number]
    return table(heads[:columns], (row[:columns] for row in rows[:first]))


def _edits() -> str:
    """What a fix may yield: the public edits, each with the first line of its docstring."""
    edits = {name: getattr(remedy, name) for name in remedy.__all__ if name not in NO_EDITS}
    rows = ((f"`{name}`", prose((inspect.getdoc(edit) or "").partition("\n")[0])) for name, edit in edits.items())
    return table(("edit", ""), rows)


def _finds(codes: Iterable[str], registry: Registry) -> str:
    """What these codes find, and what they cost where that was measured."""
    rows = ((f"[`{c}`](codes/{c}.md)", escaped(registry.checks[c].title), _points(c)) for c in codes)
    return table(("code", "finds", "cost the reference"), rows)


def _points(code: str) -> str:
    cost = measured_costs().get(code)
    return "not measured" if cost is None else "nothing beyond noise" if cost.is_noise else f"{cost.points:.1f} points"


def _causes(code: str, registry: Registry) -> str:
    """What explains a symptom: first what was measured to cost something, the dearest first, then the rest by name."""
    costs = {c: m.points for c, m in measured_costs().items() if not m.is_noise}
    causes = causes_of(registry.checks[code], registry)
    dear = sorted((c for c in causes if c in costs), key=lambda c: -costs[c])
    rest = ", ".join(f"[`{c}`](codes/{c}.md)" for c in causes if c not in costs)
    return _finds(dear, registry) + (f"\nLooked for as well, with no cost measured: {rest}.\n" if rest else "")
