"""A Lightning `Callback` that diagnoses the training it is given to."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

# One library under two names, whose classes are not each other's.
if TYPE_CHECKING or find_spec("lightning") is not None:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    from pytorch_lightning import Callback, LightningModule, Trainer

from trainingdoctor.integrations.adapter import Adapter


class TrainingDoctor(Adapter, Callback):
    """`Trainer(callbacks=[TrainingDoctor(on_finding="warn")])`. Arguments as for `trainingdoctor.observe`.

    report: the diagnosis, once there is one; at the latest when `fit` has ended.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to watch, before the optimizers are made."""
        if stage == "fit":
            self._begin(type(pl_module).__name__, trainer.max_epochs if (trainer.max_epochs or -1) > 0 else None)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Diagnose, unless that was done in between."""
        self._finish()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave no hooks behind."""
        self._leave()
