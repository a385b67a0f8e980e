"""How large the data sets of a variant are, and how long it plans to train."""

from __future__ import annotations

from typing import Any

from trainingdoctor.errors import UserError
from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.measure.dataset import length
from trainingdoctor.measure.schedule import steps_per_epoch
from trainingdoctor.reference.own import NEEDED
from trainingdoctor.remedy.overlay import overlaid
from trainingdoctor.verify.task import Size, Task

# Where a loader has no length: enough for the shortest plan.
UNKNOWN = 10_000


def sizes_of(task: Task) -> Size:
    """Raises UserError for a config that cannot be trained."""
    with overlaid(task.texts), in_folder_of(task.config):
        training = load_config(task.config, task.time_limit)
        missing = [name for name in NEEDED if getattr(training, name) is None]
        if missing:
            raise UserError(f"{training.name} cannot be trained without {', '.join(missing)}: add that to the config")
        epochs = int(training.epochs or 1)
        return Size(_samples(training.train_loader), epochs, _samples(training.val_loader), epochs)


def _samples(loader: Any) -> int:
    sampler = getattr(loader, "sampler", None)
    own = length(sampler) if sampler is not None else None
    if own:
        return own
    steps = steps_per_epoch(loader)
    return steps * int(getattr(loader, "batch_size", None) or 1) if steps else UNKNOWN
