"""One config written into a folder, fixed by the tool, and fixed once more."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from faults import FAULTS, HEALTHY, Fault
from templates import files

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def fault_named(name: str) -> Fault:
    """The fault of that name."""
    return next(f for f in (HEALTHY, *FAULTS) if f.name == name)


def written(folder: Path, style: str, fault: Fault) -> Path:
    """The config's files in a folder, beside the data set of the examples; returns the config."""
    for name, text in files(style, fault.changes).items():
        (folder / name).write_text(text)
    (folder / "cifar.py").write_text(
        (EXAMPLES / "cifar.py")
        .read_text()
        .replace("return Cifar10(root, train=True", "return Cifar10(root, train=True")
    )
    return folder / "config.py"


def attempt(name: str, style: str) -> dict[str, Any]:
    """Fix it in a folder of its own. The row says what was found, changed, and left."""
    import torch

    torch.set_num_threads(1)
    os.environ.setdefault("CIFAR10_DIR", str(EXAMPLES / ".data"))
    fault, began = fault_named(name), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        config = written(Path(folder), style, fault)
        try:
            row = _fixed(config, fault)
        except Exception as error:  # noqa: BLE001 - a row of the table
            row = {"word": "ERROR", "said": f"{type(error).__name__}: {error}"}
    return {"name": f"{style}: {name}", "fault": name, "style": style, "seconds": time.perf_counter() - began, **row}


def _fixed(config: Path, fault: Fault) -> dict[str, Any]:
    from trainingdoctor.registry import load_registry
    from trainingdoctor.remedy.cure import Physician
    from trainingdoctor.remedy.examine import Subject, begins, examine_config
    from trainingdoctor.remedy.fix import load_fixes
    from trainingdoctor.settings import Settings

    subject = Subject(config, Settings(time_limit=600.0), load_registry(), load_fixes())
    cure = Physician(lambda t: examine_config(subject, t), lambda t: begins(subject, t)).cure()
    cure.patch.write()
    again = sorted(
        {p.code for p in examine_config(subject, {}).proposals if p.edits and p.code not in [x.code for x in cure.left]}
    )
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
        "diff": cure.patch.diff(config.parent),
    }


def _word(fault: Fault, before: list[str], after: list[str], new: list[str], again: list[str]) -> str:
    if not set(fault.codes) <= set(before):
        return "NOT FOUND"
    if new or again:
        return "NEW"
    if after:
        return "LEFT"
    return "fixed" if before else "healthy"


if __name__ == "__main__":
    print(attempt(sys.argv[1], sys.argv[2]))
