"""An Ignite handler that diagnoses the training it is attached to."""

from typing import Any

from ignite.engine import Engine, Events

from trainingdoctor.observing.inside import Observer, OnFinding, observe
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings


class TrainingDoctor:
    """`TrainingDoctor(on_finding="warn").attach(trainer)`. Arguments as for `trainingdoctor.observe`.

    report: the diagnosis, once there is one; at the latest when `run` has ended.
    """

    def __init__(self, *, steps: int = 300, on_finding: OnFinding = None, settings: Settings | None = None) -> None:
        self._arguments: dict[str, Any] = {"steps": steps, "on_finding": on_finding, "settings": settings}
        self.observer: Observer | None = None

    @property
    def report(self) -> Report | None:
        """None before the diagnosis."""
        return self.observer.report if self.observer is not None else None

    def attach(self, trainer: Engine) -> None:
        """Watch this engine's runs."""
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.COMPLETED, self._finish)
        trainer.add_event_handler(Events.EXCEPTION_RAISED, self._leave)

    def _start(self, trainer: Engine) -> None:
        self.observer = observe(**self._arguments).start()
        self.observer.epochs = trainer.state.max_epochs

    def _finish(self, trainer: Engine) -> None:
        if self.observer is not None:
            self.observer.finish()

    def _leave(self, trainer: Engine, error: BaseException) -> Any:
        if self.observer is not None:
            self.observer.leave()
        raise error
