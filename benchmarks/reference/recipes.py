"""Recipes beside one another: the last epoch's test accuracy of variations of `fast`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trainingdoctor.reference import Settings

# Changes of the recipe. A peak goes with its batch.
CANDIDATES: dict[str, dict[str, Any]] = {
    "fast": {},
    "weight decay 1e-3": {"weight_decay": 1e-3},
    "weight decay 2.5e-4": {"weight_decay": 2.5e-4},
    "no label smoothing": {"label_smoothing": 0.0},
    "random flips": {"alternating_flip": False},
    "half the rate": {"peak": 0.4},
    "batch 256": {"batch_size": 256, "peak": 0.4},
    "muon 0.05": {"muon": 0.05},
    "muon 0.02": {"muon": 0.02},
}


def candidates(settings: Settings, names: list[str]) -> dict[str, Settings]:
    """The settings of those named."""
    changed = {name: replace(settings.recipe, **CANDIDATES[name]) for name in names}
    return {n: replace(settings, recipe=r, batch_size=r.batch_size) for n, r in changed.items()}


def compared(
    settings: dict[str, Settings], parallel: int, run: Callable[[list[Settings]], list[tuple[Any, dict[str, Any]]]]
) -> dict[str, Any]:
    """Accuracy of each, `parallel` at a time: their seconds say nothing."""
    found, names = {}, list(settings)
    for first in range(0, len(names), parallel):
        some = names[first : first + parallel]
        for name, (result, _) in zip(some, run([settings[n] for n in some]), strict=True):
            last = result.metrics[-1]
            found[name] = {"accuracy": result.accuracy, "train_accuracy": last.train_accuracy, "loss": last.loss}
            print(name, found[name], flush=True)
    return found
