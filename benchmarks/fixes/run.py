"""One config written into a folder, fixed by the tool, and fixed once more."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import scripts
from faults import FAULTS, HEALTHY, Fault
from templates import files

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def fault_named(name: str, style: str) -> Fault:
    """The fault of that name, of a config or of a script."""
    if style in scripts.STYLES:
        variant = scripts.variants()[name]
        return Fault("healthy" if name == "plain" else name, variant.codes, {}, scripts.is_fixable(name))
    return next(f for f in (HEALTHY, *FAULTS) if f.name == name)


def written(folder: Path, style: str, fault: Fault) -> Path:
    """The config's files in a folder, beside the data set of the examples; returns the config."""
    for name, text in files(style, fault.changes).items():
        (folder / name).write_text(text)
    (folder / "cifar.py").write_text((EXAMPLES / "cifar.py").read_text())
    return folder / "config.py"


def attempt(name: str, style: str) -> dict[str, Any]:
    """Fix it in a folder of its own. The row says what was found, changed, and left."""
    import torch

    torch.set_num_threads(1)
    os.environ.setdefault("CIFAR10_DIR", str(EXAMPLES / ".data"))
    fault, began = fault_named(name, style), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        is_script = style in scripts.STYLES
        place = Path(folder)
        file = scripts.written(place, style, name) if is_script else written(place, style, fault)
        try:
            # Trial trainings tell the same in each style: there only where the fault needs them.
            quick = style != "plain" and not any(code.startswith("lr.") for code in fault.codes)
            row = _fixed(file, fault, is_script, quick)
        except Exception as error:  # noqa: BLE001 - a row of the table
            row = {"word": "ERROR", "said": f"{type(error).__name__}: {error}"}
    return {
        "name": f"{style}: {name}",
        "fault": fault.name,
        "style": style,
        "seconds": time.perf_counter() - began,
        **row,
    }


def _fixed(file: Path, fault: Fault, is_script: bool, quick: bool) -> dict[str, Any]:
    from trainingdoctor.registry import load_registry
    from trainingdoctor.remedy.cure import Physician
    from trainingdoctor.remedy.examine import Subject, begins, examine_config, examine_script
    from trainingdoctor.remedy.fix import load_fixes
    from trainingdoctor.settings import Settings

    subject = Subject(file, Settings(time_limit=600.0, quick=quick), load_registry(), load_fixes())
    if is_script:
        physician = Physician(lambda t: examine_script(subject, (), t), lambda _: None)
    else:
        physician = Physician(lambda t: examine_config(subject, t), lambda t: begins(subject, t))
    cure = physician.cure()
    cure.patch.write()
    left_codes = [p.code for p in cure.left]
    again = sorted({p.code for p in physician.examine({}).proposals if p.edits and p.code not in left_codes})
    before = [f.code for f in cure.before.findings if f.severity.value != "info"]
    after = [f.code for f in cure.after.findings if f.severity.value != "info"]
    new = sorted(set(after) - set(before))
    left = {p.code: p.reason for p in cure.left}
    word = _word(fault, before, after, new, again)
    return {
        "word": word,
        "said": "; ".join([*(f"{c}: {r}" for c, r in left.items()), *(f"again {c}" for c in again)]) or "-",
        "found": before,
        "cured": list(cure.cured),
        "left": left,
        "new": new,
        "again": again,
        "fixable": fault.fixable,
        "diff": cure.patch.diff(file.parent),
    }


def _word(fault: Fault, before: list[str], after: list[str], new: list[str], again: list[str]) -> str:
    # Of a script any of its codes names the fault.
    named = set(fault.codes) & set(before)
    if fault.codes and (not named or (fault.changes and named != set(fault.codes))):
        return "NOT FOUND"
    if new or again:
        return "NEW"
    if after:
        return "LEFT"
    return "fixed" if before else "healthy"
