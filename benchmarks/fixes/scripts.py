"""The training scripts of `benchmarks/scripts`, as sick configs are: written into a folder, to be fixed."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "scripts"
STYLES = ("functions", "trainer", "module")
# Faults that are told with their place, and left to the user: what was meant cannot be seen.
NOT_FIXABLE = (
    "zero_grad between backward and step",
    "no step",
    "no backward",
    "loss detached",
    "loss from a new tensor",
    "trains on the test set",
    "evaluates on the training set",
    "weights made anew in each epoch",
    "weights set back every few steps",
    "scheduler stepped per batch",
    "optimizer made anew in each epoch",
    "softmax before the loss",
)


def _module(name: str) -> Any:
    """A file of that bench under a name of its own: both benches have files of the same names."""
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def variants() -> dict[str, Any]:
    """By name, those that are written in every style; the healthy one first."""
    faults = sys.modules.get("scripts_faults") or _module("faults")
    return {v.name: v for v in (*faults.HEALTHY[:1], *faults.FAULTS) if set(STYLES) <= set(v.styles)}


def written(folder: Path, style: str, name: str) -> Path:
    """The script in a folder."""
    os.environ.setdefault("EXAMPLES", str(FOLDER.parent.parent / "examples"))
    script = folder / "train.py"
    script.write_text(_module("templates").written(style, variants()[name].lines))
    return script
