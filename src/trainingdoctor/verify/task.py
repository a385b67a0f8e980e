"""One short training of one variant of a config: what to run, and what came of it. Both can be sent to another machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainingdoctor.errors import UserError
from trainingdoctor.loading.config import in_folder_of, load_config
from trainingdoctor.measure.restore import seed_everything
from trainingdoctor.reference.own import OwnRun, sentences
from trainingdoctor.reference.run import deterministic
from trainingdoctor.remedy.overlay import overlaid
from trainingdoctor.verify.short import shortened


@dataclass(frozen=True)
class Size:
    """How long a short training is, alike for all variants. samples, evaluation: of the data sets, at most.

    epochs: passes over the samples of the variant that plans most epochs (`longest`); one that plans fewer gets as much
    less.
    """

    samples: int
    epochs: int
    evaluation: int
    longest: int = 0

    def epochs_of(self, planned: int | None) -> int:
        """Passes of a variant that plans so many epochs in its config."""
        share = planned / self.longest if planned and self.longest else 1.0
        return max(1, round(self.epochs * min(1.0, share)))


@dataclass(frozen=True)
class Task:
    """variant: its name.  texts: in place of the files under the config's folder.  device: None where the model is."""

    variant: str
    config: Path
    seed: int
    size: Size
    texts: Mapping[Path, str] = field(default_factory=dict, hash=False)
    device: str | None = None
    time_limit: float = 600.0


@dataclass(frozen=True)
class Outcome:
    """accuracy: in percent on the evaluation samples after the last epoch; None where the training raised, with the `error`.

    seconds: of the whole task.  training: of the steps alone.  passes: training samples seen.  steps: of the optimizer.
    """

    variant: str
    seed: int
    accuracy: float | None
    train_accuracy: float = 0.0
    loss: float = 0.0
    seconds: float = 0.0
    training: float = 0.0
    passes: int = 0
    steps: int = 0
    epochs: int = 0
    error: str = ""


def run_task(task: Task) -> Outcome:
    """Load the variant and train it, deterministically. What its code raises is the outcome's `error`."""
    began = time.perf_counter()
    try:
        return _trained(task, began)
    except UserError as error:
        return Outcome(task.variant, task.seed, None, seconds=time.perf_counter() - began, error=str(error))


def _trained(task: Task, began: float) -> Outcome:
    with overlaid(task.texts), in_folder_of(task.config):
        seed_everything(task.seed)
        training = load_config(task.config, task.time_limit)
        short = shortened(training, task.size, task.seed)
        run = OwnRun(short, None, task.device, task.seed, only_last=True)
        with sentences(training.name), deterministic():
            metrics = list(run.epochs(lambda *_: None))
    last = metrics[-1]
    return Outcome(
        task.variant,
        task.seed,
        last.test_accuracy,
        last.train_accuracy,
        last.loss,
        seconds=time.perf_counter() - began,
        training=sum(m.seconds for m in metrics),
        passes=round(sum(m.seconds * m.images_per_second for m in metrics)),
        steps=len(metrics) * len(short.train_loader),  # type: ignore[arg-type]
        epochs=len(metrics),
    )
