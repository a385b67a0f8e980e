"""What the adapters share: an observer that begins, ends and is left with the library's events."""

from trainingdoctor.observing.inside import Observer, OnFinding, observe
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings


class Adapter:
    """Arguments as for `trainingdoctor.observe`. report: the diagnosis, once there is one; at the latest when the run has ended."""

    def __init__(self, *, steps: int = 300, on_finding: OnFinding = None, settings: Settings | None = None) -> None:
        self._steps, self._on_finding, self._settings = steps, on_finding, settings
        self.observer: Observer | None = None

    @property
    def report(self) -> Report | None:
        """None before the diagnosis."""
        return self.observer.report if self.observer is not None else None

    def _begin(self, name: str | None, epochs: int | None) -> None:
        """Watch from now on. epochs: as planned; None where the library does not know."""
        observer = observe(steps=self._steps, on_finding=self._on_finding, settings=self._settings, name=name)
        self.observer = observer.start()
        self.observer.epochs = epochs

    def _finish(self) -> None:
        """Diagnose, unless that was done in between."""
        if self.observer is not None:
            self.observer.finish()

    def _leave(self) -> None:
        """Leave no hooks behind."""
        if self.observer is not None:
            self.observer.leave()
