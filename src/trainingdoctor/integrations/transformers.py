"""A Hugging Face `TrainerCallback` that diagnoses the training it is given to."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainingdoctor.integrations.adapter import Adapter


class TrainingDoctor(Adapter, TrainerCallback):
    """`Trainer(..., callbacks=[TrainingDoctor(on_finding="warn")])`. Arguments as for `trainingdoctor.observe`.

    report: the diagnosis, once there is one; at the latest when `train` has ended.
    """

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to watch."""
        model = kwargs.get("model")
        self._begin(None if model is None else type(model).__name__, state.num_train_epochs or None)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Diagnose, unless that was done in between."""
        self._finish()
