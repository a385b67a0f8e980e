"""Test accuracy over seconds of training: a line for each seed, and the plain loop's pace beside it."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw(found: dict[str, Any], path: Path) -> None:
    """Write the picture to `path`."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    first = list(accumulate(m["seconds"] for m in found["seeds"]["runs"][0]["metrics"]))
    for run in found["seeds"]["runs"]:
        # Seeds that shared the card are drawn at the pace of the one that had it for itself.
        seconds = first if run.get("beside") else list(accumulate(m["seconds"] for m in run["metrics"]))
        label = f"seed {run['seed']}" + (", at the first one's pace" if run.get("beside") else "")
        axes.plot(seconds, [m["test_accuracy"] for m in run["metrics"]], linewidth=1.2, label=label)
    axes.axhline(90, color="0.5", linewidth=0.8, linestyle="--")
    plain = found.get("plain")
    if isinstance(plain, list):
        pace = min(p["epoch"] for p in plain)
        axes.axvspan(0, pace, color="0.9", label=f"one epoch of the plain loop, {pace:.1f} s")
    axes.set(xlabel="seconds of training", ylabel="test accuracy, %", title=f"ResNet-110 on {found['card']['name']}")
    axes.set_ylim(0, 100)
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=130)
