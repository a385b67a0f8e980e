"""A Hugging Face `TrainerCallback` that diagnoses the training it is given to."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainingdoctor.observing.inside import Observer, OnFinding, observe
from trainingdoctor.report import Report
from trainingdoctor.settings import Settings


class TrainingDoctor(TrainerCallback):
    """`Trainer(..., callbacks=[TrainingDoctor(on_finding="warn")])`. Arguments as for `trainingdoctor.observe`.

    report: the diagnosis, once there is one; at the latest when `train` has ended.
    """

    def __init__(self, *, steps: int = 300, on_finding: OnFinding = None, settings: Settings | None = None) -> None:
        self._arguments: dict[str, Any] = {"steps": steps, "on_finding": on_finding, "settings": settings}
        self.observer: Observer | None = None

    @property
    def report(self) -> Report | None:
        """None before the diagnosis."""
        return self.observer.report if self.observer is not None else None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to watch."""
        model = kwargs.get("model")
        self.observer = observe(**self._arguments, name=type(model).__name__ if model is not None else None).start()
        self.observer.epochs = state.num_train_epochs or None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Diagnose, unless that was done in between."""
        if self.observer is not None:
            self.observer.finish()
