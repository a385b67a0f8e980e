"""Which trainings tell what a change gains, and how long they may be: as many and as long as the budget takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserError
from trainingdoctor.verify.task import Outcome, Size, Task

# Shorter trainings tell little: 2,000 samples seen four times. On ResNet-20-sized nets that is about 25 to 40 % accuracy.
LEAST_SAMPLES, LEAST_EPOCHS = 2_000, 4
# What before and after get before anything else is trained.
USUAL_SAMPLES, USUAL_EPOCHS = 5_000, 10
EVALUATION = 2_000


@dataclass(frozen=True)
class Variant:
    """A state of the config: another file, or its own with `texts` in place of its files."""

    name: str
    texts: Mapping[Path, str] = field(default_factory=dict)
    config: Path | None = None

    def task(self, shared: Task, **more: Any) -> Task:
        """One of its trainings; shared: what all trainings share."""
        return replace(shared, variant=self.name, texts=self.texts, config=self.config or shared.config, **more)


@dataclass(frozen=True)
class Pace:
    """What a training takes here: seconds to start, for one training sample, and for one evaluation sample."""

    start: float
    sample: float

    @classmethod
    def of(cls, trial: Outcome) -> Pace:
        """From a trial."""
        return cls(trial.seconds - trial.training, trial.training / max(trial.passes, 1))

    def seconds(self, size: Size) -> float:
        """Of one training; an evaluation sample takes about a third of a training sample."""
        return self.start + self.sample * (size.samples * size.epochs + size.evaluation / 3)


@dataclass(frozen=True)
class Plan:
    """variants: in order of importance.  left_out: those for which the budget is too small.  seconds: expected."""

    variants: tuple[Variant, ...]
    left_out: tuple[Variant, ...]
    size: Size
    seeds: tuple[int, ...]
    seconds: float

    def tasks(self, task: Task) -> list[Task]:
        """One for each variant and seed; the first two variants with all their seeds before any other one."""
        order = [(v, s) for s in self.seeds for v in self.variants[:2]]
        order += [(v, s) for v in self.variants[2:] for s in self.seeds]
        return [v.task(task, seed=s, size=self.size) for v, s in order]


def planned(variants: Sequence[Variant], pace: Pace, budget: float, seeds: int, available: Size, jobs: int = 1) -> Plan:
    """Fit the trainings into `budget` seconds. available: sizes of the data sets, and the epochs of the config.

    Before and after come first: the others are trained where all of them can have the usual length. Raises UserError where
    not even the first two fit at the least length.
    """
    least = _at_most(available, LEAST_SAMPLES, LEAST_EPOCHS)
    usual = _at_most(available, USUAL_SAMPLES, USUAL_EPOCHS)
    each = budget * jobs / seeds
    asked = min(2, len(variants))
    if each < asked * pace.seconds(least):
        needed = asked * seeds * pace.seconds(least) / jobs
        raise UserError(
            f"the budget of {budget:.0f} s is too short for {seeds} seeds of {asked} variants: about {needed:.0f} s are needed, "
            "or fewer seeds"
        )
    fit = max(asked, int(each / pace.seconds(usual)))
    chosen, left_out = variants[:fit], variants[fit:]
    size = _grown(least, available, pace, each / len(chosen))
    expected = len(chosen) * seeds * pace.seconds(size) / jobs
    return Plan(tuple(chosen), tuple(left_out), size, tuple(range(seeds)), expected)


def _at_most(available: Size, samples: int, epochs: int) -> Size:
    return Size(
        min(samples, available.samples),
        min(epochs, max(available.epochs, 1)),
        min(EVALUATION, available.evaluation),
        available.longest,
    )


def _grown(least: Size, available: Size, pace: Pace, seconds: float) -> Size:
    """Epochs up to the usual number, then samples up to all, then epochs up to the config's."""
    passes = (seconds - pace.start - pace.sample * least.evaluation / 3) / pace.sample
    epochs = int(max(least.epochs, min(USUAL_EPOCHS, available.epochs, passes / least.samples)))
    samples = int(max(least.samples, min(available.samples, passes / epochs)))
    if samples == available.samples:
        epochs = int(max(epochs, min(available.epochs, passes / samples)))
    return replace(least, samples=samples, epochs=epochs)
