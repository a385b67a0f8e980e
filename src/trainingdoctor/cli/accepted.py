"""`--baseline FILE` and `--update-baseline`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainingdoctor.aside import aside
from trainingdoctor.errors import UserError

if TYPE_CHECKING:
    from trainingdoctor.baseline import Baseline
    from trainingdoctor.report import Report


@dataclass(frozen=True)
class Accepted:
    """A baseline, and the name that the examined file has in it. update: write what is found into it first."""

    baseline: Baseline
    target: str
    update: bool

    def marked(self, report: Report) -> Report:
        """The report with what is known marked. Raises UserError where the file is to be written and cannot."""
        baseline = self.baseline
        if self.update:
            baseline = baseline.updated(report, self.target)
            baseline.write()
            count = sum(entry.target == self.target for entry in baseline.entries)
            aside(f"{baseline.file.name} lists {count} of {self.target}")
        return baseline.compared(report, self.target)


def accepted_by(file: Path | None, update: bool, examined: Path) -> Accepted | None:
    """What the options say. examined: the file, absolute. Raises UserError for a file that is no baseline."""
    if file is None:
        if update:
            raise UserError("--update-baseline needs --baseline FILE: the file to write")
        return None
    from trainingdoctor.baseline import Baseline, read_baseline
    from trainingdoctor.cli.deliver import check_writable

    path = file.resolve()
    if update:
        check_writable(path, "--baseline")
    baseline = Baseline(path) if update and not path.exists() else read_baseline(path)
    return Accepted(baseline, Path(os.path.relpath(examined, path.parent)).as_posix(), update)
