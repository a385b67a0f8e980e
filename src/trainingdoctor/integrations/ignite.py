"""An Ignite handler that diagnoses the training it is attached to."""

from ignite.engine import Engine, Events

from trainingdoctor.integrations.adapter import Adapter


class TrainingDoctor(Adapter):
    """`TrainingDoctor(on_finding="warn").attach(trainer)`. Arguments as for `trainingdoctor.observe`.

    report: the diagnosis, once there is one; at the latest when `run` has ended.
    """

    def attach(self, trainer: Engine) -> None:
        """Watch this engine's runs."""
        trainer.add_event_handler(Events.STARTED, self._on_started)
        trainer.add_event_handler(Events.COMPLETED, self._finish)
        trainer.add_event_handler(Events.EXCEPTION_RAISED, self._on_raised)

    def _on_started(self, trainer: Engine) -> None:
        self._begin(None, trainer.state.max_epochs)

    def _on_raised(self, trainer: Engine, error: BaseException) -> None:
        self._leave()
        raise error
