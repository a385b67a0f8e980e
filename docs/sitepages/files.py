"""Files of the repository as pages, and parts of them inside pages."""

import re
from pathlib import Path
from posixpath import relpath

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = {"SECURITY.md": "security.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}

_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")


def read(path: str) -> str:
    """A file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def measured() -> dict[str, str]:
    """The committed results of the benchmarks that are tables for people: their paths, with their pages."""
    return {f"benchmarks/results/{f.name}": f"measured/{f.name}" for f in sorted(RESULTS.glob("*.md"))}


def linked(text: str, page: str) -> str:
    """Links into the repository as links to their pages; what has no page is named instead."""
    pages = {**PAGES, **measured()}

    def turned(match: re.Match[str]) -> str:
        target = pages.get(match[2])
        if target is not None:
            return f"[{match[1]}]({relpath(target, page.rpartition('/')[0] or '.')})"
        return f"`{match[2]}`" if match[1].strip("`") == match[2] else f"{match[1]} (`{match[2]}` in the repository)"

    return _LINK.sub(turned, text)


def section(path: str, heading: str) -> str:
    """What stands under one heading of a Markdown file. Raises KeyError where there is none of that name."""
    parts = re.split(r"^## (.+)$", read(path), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading].strip()


def tables(path: str) -> list[list[list[str]]]:
    """The tables of a Markdown file: rows of cells, the first row the heads."""
    blocks = re.findall(r"(?:^\|.*\n?)+", read(path), flags=re.MULTILINE)
    return [
        [[c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in b.splitlines()]
        for b in blocks
    ]
