"""A Lightning `Callback` that diagnoses the training it is given to."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

# One library under two names, whose classes are not each other's.
if TYPE_CHECKING or find_spec("lightning") is not None:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    from pytorch_lightning import Callback, LightningModule, Trainer

from trainingdoctor.observing.inside import Observer, OnFinding, observe
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings


class TrainingDoctor(Callback):
    """`Trainer(callbacks=[TrainingDoctor(on_finding="warn")])`. Arguments as for `trainingdoctor.observe`.

    report: the diagnosis, once there is one; at the latest when `fit` has ended.
    """

    def __init__(self, *, steps: int = 300, on_finding: OnFinding = None, settings: Settings | None = None) -> None:
        self._arguments: dict[str, Any] = {"steps": steps, "on_finding": on_finding, "settings": settings}
        self.observer: Observer | None = None

    @property
    def report(self) -> Report | None:
        """None before the diagnosis."""
        return self.observer.report if self.observer is not None else None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to watch, before the optimizers are made."""
        if stage == "fit":
            self.observer = observe(**self._arguments, name=type(pl_module).__name__).start()
            self.observer.epochs = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Diagnose, unless that was done in between."""
        if self.observer is not None:
            self.observer.finish()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave no hooks behind."""
        if self.observer is not None:
            self.observer.leave()
