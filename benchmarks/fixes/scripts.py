"""The training scripts of `benchmarks/scripts`, as sick configs are: written into a folder, to be fixed."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from trainingdoctor.remedy.fix import load_fixes

FOLDER = Path(__file__).resolve().parent.parent / "scripts"
STYLES = ("functions", "trainer", "module")
# What was meant cannot be seen from the loop's own line; other faults are fixable where a fix has their code.
LEFT_TO_THE_USER = ("softmax before the loss",)


def is_fixable(name: str) -> bool:
    """Whether a fix is to be expected: the others are told with their place, and left to the user."""
    codes = variants()[name].codes
    return name not in LEFT_TO_THE_USER and (not codes or not set(codes).isdisjoint(load_fixes()))


def _module(name: str) -> Any:
    """A file of that bench under a name of its own: both benches have files of the same names."""
    if str(FOLDER) not in sys.path:
        # Last: what its files import by name is found there, and what both benches have is this one's.
        sys.path.append(str(FOLDER))
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
