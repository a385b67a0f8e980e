"""Two diagnoses side by side: what was cured, what is new, what stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text


@dataclass(frozen=True)
class Comparison:
    """Messages by code, of warnings and criticals. accuracy: then and now, in percent, None where it was not measured."""

    targets: tuple[str, str]
    cured: Mapping[str, str]
    new: Mapping[str, str]
    standing: Mapping[str, str]
    accuracy: tuple[float | None, float | None]


def comparison(one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """Of two JSON reports."""
    before, after = _messages(one), _messages(other)
    return Comparison(
        (str(one.get("target", "")), str(other.get("target", ""))),
        {c: m for c, m in before.items() if c not in after},
        {c: m for c, m in after.items() if c not in before},
        {c: m for c, m in after.items() if c in before},
        (one.get("accuracy"), other.get("accuracy")),
    )


def _messages(report: Mapping[str, Any]) -> dict[str, str]:
    standing = [f for f in report["findings"] if f["severity"] != "info"]
    return {f["code"]: f["message"] for f in reversed(standing)}


def print_comparison(found: Comparison, console: Console) -> None:
    """Draw it."""
    console.print(Text(f"{found.targets[0]} → {found.targets[1]}", "bold"))
    if any(value is not None for value in found.accuracy):
        then, now = ("not measured" if a is None else f"{a:.2f} %" for a in found.accuracy)
        console.print(Text(f"accuracy  {then} → {now}"))
    for mark, style, messages in (
        ("✓ cured", "green", found.cured),
        ("! new", "red", found.new),
        ("· stands", "", found.standing),
    ):
        for code, message in messages.items():
            console.print(Text(f"{mark:9} {code}: {message}", style))
    if not (found.cured or found.new or found.standing):
        console.print(Text("no warning in either"))
