"""`trainingdoctor.observe()`: a training loop of this process, watched while it runs, and diagnosed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from trainingdoctor.errors import TrainingUnwell, UserError
from trainingdoctor.finding import Severity
from trainingdoctor.measure.restore import restored
from trainingdoctor.observing.assemble import assembled, rewound
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.limits import Limits
from trainingdoctor.observing.places import users_frame
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.report import Report
from trainingdoctor.runner import diagnose
from trainingdoctor.settings import Settings

OnFinding = Literal["warn", "stop"] | Callable[[Report], object] | None


class UnwellWarning(UserWarning):
    """Of `on_finding="warn"`: the training has a finding of warning or critical."""


class Observer:
    """Watches what torch does in this thread, from `start` to `finish`, or as a context manager.

    report: the diagnosis, once there is one.  epochs: as planned, where the loop's source does not tell.
    """

    def __init__(self, *, steps: int, on_finding: OnFinding, settings: Settings, name: str | None) -> None:
        self.report: Report | None = None
        self.epochs: int | None = None
        self.on_finding, self.settings, self.name = on_finding, settings, name
        self.recorder = Recorder(Limits(steps=max(1, math.ceil(steps / 3)), total=math.inf), stops=False)
        self._hooks = ExitStack()
        self._file = Path(name or "loop")

    def start(self) -> Self:
        """Begin to watch."""
        frame = users_frame(2)
        if frame is not None and self.name is None:
            self._file = Path(frame.f_code.co_filename)
        self.recorder.leave = self._hooks.close
        self.recorder.on_enough = self.examine if self.on_finding is not None else self._hooks.close
        self._hooks.enter_context(observed(self.recorder))
        return self

    def finish(self) -> Report:
        """Stop watching; diagnose what was seen, unless that was done in between."""
        return self.report or self.examine()

    def leave(self) -> None:
        """Stop watching, without a diagnosis."""
        self._hooks.close()

    def examine(self) -> Report:
        """Diagnose what was seen so far, and act on findings. The training goes on as if nothing had happened.

        Raises UserError where no model was called, TrainingUnwell with `on_finding="stop"`.
        """
        self.leave()
        recorder = self.recorder
        if not recorder.models:
            raise UserError("nothing was seen: call the model in the thread and inside of the block that is observed")
        recorder.epochs = self.epochs or recorder.epochs
        parts = [w.optimizer for w in recorder.optimizers], [w.scheduler for w in recorder.schedulers.watched]
        with restored(list(recorder.models.values()), *parts):
            rewound(recorder)
            training, known = assembled(recorder, self._file)
            report = diagnose(training, settings=self.settings, known=known)
        # Only now: a model of Lightning reaches its trainer, and that us, so that we were restored as well.
        self.report = report
        self._act(report)
        return report

    def _act(self, report: Report) -> None:
        if self.on_finding is None or all(f.severity is Severity.INFO for f in report.findings):
            return
        told = f"{', '.join(report.root_causes)}: " + "; ".join(
            f.message for f in report.findings if f.code in report.root_causes
        )
        if self.on_finding == "stop":
            raise TrainingUnwell(told, report)
        if self.on_finding == "warn":
            warnings.warn(told, UnwellWarning, stacklevel=2)
        else:
            self.on_finding(report)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.leave()


def observe(
    *, steps: int = 300, on_finding: OnFinding = None, settings: Settings | None = None, name: str | None = None
) -> Observer:
    """Watch a loop from inside, in a script or a notebook: `with trainingdoctor.observe() as doctor:` around it.

    The loop runs to its own end. Without `on_finding` the diagnosis comes after the block, in `doctor.report`; with it,
    once two epochs and an evaluation, or `steps` optimizer steps, were seen: "warn" warns (UnwellWarning), "stop" raises
    TrainingUnwell, and a function is called with the report. All that only where a warning or critical was found. Model,
    optimizer, scheduler and random states are afterwards what they were; the diagnosis takes as long as `diagnose` does.

    settings: as for `diagnose`.  name: of the training, in the report (default: the file that calls).
    Raises ValueError for another `on_finding`, and UserError at the end where no model was called.

    >>> import torch, trainingdoctor
    >>> model, data = torch.nn.Linear(4, 2), [(torch.randn(8, 4), torch.arange(8) % 2)] * 4
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> with trainingdoctor.observe(name="tiny") as doctor:
    ...     for x, y in data:
    ...         torch.nn.functional.cross_entropy(model(x), y).backward()
    ...         optimizer.step()
    >>> "loop.zero_grad_missing" in doctor.report.root_causes
    True
    """
    if on_finding not in (None, "warn", "stop") and not callable(on_finding):
        raise ValueError(f'on_finding must be None, "warn", "stop" or a function, not {on_finding!r}')
    return Observer(steps=steps, on_finding=on_finding, settings=settings or Settings(), name=name)
