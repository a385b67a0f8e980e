"""The tools, each with a manual (`NAME.toml`) and an adapter (`name.py`) that uses it as its README says.

A manual holds what the comparison needs to know without the tool: what to install, what a user writes, and which of
its findings name which fault. An adapter has one function, `examine(training, steps, log)`, that returns the tool's
findings in its own words; it judges nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).resolve().parent
OURS = "trainingdoctor"


@dataclass(frozen=True)
class Finding:
    """One thing that a tool said. `alarm`: at its own level of a warning or above, not a mere remark."""

    rule: str
    alarm: bool
    text: str


@dataclass(frozen=True)
class Outcome:
    """What a tool said of one training, and what stopped the training's own loop, if anything did."""

    findings: list[Finding]
    stopped: str | None = None


@dataclass(frozen=True)
class Manual:
    """What is known of a tool without running it."""

    name: str
    install: str
    about: str
    usage: str
    reads_log: bool
    steps: int
    names: tuple[dict[str, Any], ...]
    no_dependencies: bool = False

    @property
    def lines(self) -> int:
        """Lines of user code, without blank ones."""
        return sum(bool(line.strip()) for line in self.usage.splitlines())


def kind(rule: str, text: str, words: tuple[str, ...]) -> str:
    """A finer rule for a tool whose findings differ only in their words: the first of these that the text holds."""
    return next((f"{rule}: {word}" for word in words if word in text), rule)


def manual(name: str) -> Manual:
    """The manual of one tool."""
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    return Manual(name=name, names=tuple(table.pop("names", ())), **table)


def manuals() -> list[Manual]:
    """All tools: ours first, then by name."""
    found = [manual(path.stem) for path in sorted(FOLDER.glob("*.toml"))]
    return sorted(found, key=lambda m: (m.name != OURS, m.name))


def adapter(name: str) -> ModuleType:
    """The adapter: importing it imports the tool."""
    return import_module(f"tools.{name.replace('-', '_')}")
