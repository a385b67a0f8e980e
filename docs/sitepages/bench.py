"""What the benches recorded: real findings, and how often each fault was injected and named."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from sitepages.files import RESULTS

# Of image classification first; the scripts have what only a loop can show.
TABLES = ("faults.json", "faults-resnet110.json", "scripts.json")


@dataclass(frozen=True)
class Example:
    """training: of the bench, with the fault.  message: what the check said of it, word for word."""

    training: str
    message: str


@cache
def examples() -> dict[str, Example]:
    """By code, the first sick training of the benches that was named by it."""
    found: dict[str, Example] = {}
    for run in (run for name in TABLES for run in _runs(name)):
        for code, message in run["standing"].items():
            if code in run["roots"] and isinstance(message, str):
                found.setdefault(code, Example(run["name"], message))
    return found


@cache
def injected() -> dict[str, tuple[int, int]]:
    """By code: how often it was injected on the fault bench, and how often it was named by a warning or critical."""
    times, named = Counter[str](), Counter[str]()
    for run in _runs("faults.json"):
        for right in run["right"]:
            times[right[0]] += 1
            named[right[0]] += any(code in run["standing"] or code in run["explained"] for code in right)
    return {code: (times[code], named[code]) for code in times}


def _runs(name: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((RESULTS / name).read_text(encoding="utf-8"))["runs"]
    return [run for run in runs if isinstance(run.get("standing"), dict)]
