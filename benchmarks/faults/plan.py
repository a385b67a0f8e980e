"""Which trainings are examined: healthy bases and variations, each fault on several bases, and pairs of faults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import chain, combinations

import faults_data
import faults_further
import faults_model
import faults_recipe
import faults_structure
from bases import BASES, DEEP, QUICK, SLOW
from fault import Fault
from parts import Parts
from variations import VARIATIONS
from zoo import ZOO, Animal
from zoo_sick import SICK

FAULTS: tuple[Fault, ...] = tuple(
    replace(fault, part=module.__name__.removeprefix("faults_"))
    for module in (faults_data, faults_model, faults_recipe, faults_structure, faults_further)
    for fault in module.FAULTS
)
# Every fault runs on two bases that it fits, one of them now and then slower, and every so-manieth on a deep one, too.
EVERY_SLOW, EVERY_DEEP = 3, 8
PAIRS = 36


@dataclass(frozen=True)
class Job:
    """One training to examine. faults: none for a healthy one. Those of the zoo are built as they are, sick or healthy."""

    name: str
    base: Parts | Animal
    faults: tuple[Fault, ...]

    @property
    def parts(self) -> Parts | Animal:
        """The spoiled parts."""
        if isinstance(self.base, Animal):
            return self.base
        parts = self.base
        for fault in self.faults:
            parts = fault.spoil(parts)
        return parts


def healthy() -> Iterator[Job]:
    """Bases, harmless variations of them, and trainings that are no image classification."""
    for name, base in BASES.items():
        yield Job(f"{name}: healthy", base, ())
    for variation in VARIATIONS:
        yield Job(f"{variation.base}: {variation.name}", variation.apply(BASES[variation.base]), ())
    for name, animal in ZOO.items():
        yield Job(f"zoo: {name}", animal, ())


def sick() -> Iterator[Job]:
    """Each fault on several bases, rotated, and the sick ones of the zoo.

    First all faults on one base each, so that a part of a run covers them all.
    """
    chosen = [_chosen(fault, turn) for turn, fault in enumerate(FAULTS)]
    for rank in range(3):
        for fault, names in zip(FAULTS, chosen, strict=True):
            yield from (Job(f"{name}: {fault.name}", BASES[name], (fault,)) for name in names[rank : rank + 1])
    yield from (Job(f"zoo: {fault.name}", animal, (fault,)) for animal, fault in SICK)


def _chosen(fault: Fault, turn: int) -> list[str]:
    quick, slow, deep = ([n for n in names if fault.fits(BASES[n])] for names in (QUICK, SLOW, DEEP))
    rotated = _rotated(quick, turn)[:2]
    if slow and (turn % EVERY_SLOW == 0 or len(rotated) < 2):
        rotated = [*rotated[:1], *_rotated(slow, turn // EVERY_SLOW)[: 2 - len(rotated[:1])]]
    if deep and (turn % EVERY_DEEP == 0 or not rotated):
        rotated.append(_rotated(deep, turn // EVERY_DEEP)[0])
    return rotated


def _rotated(names: list[str], turn: int) -> list[str]:
    start = turn % max(len(names), 1)
    return names[start:] + names[:start]


def pairs() -> Iterator[Job]:
    """Two faults from different modules in one training: data with recipe, model with recipe, data with model.

    A pair is left out when one fault declares the other as its consequence or both are critical to run at all.
    """
    paired = [f for f in FAULTS if f.part in ("data", "model", "recipe")]
    usable = [f for f in paired if f.strength == "subtle" or f.code in MILD]
    found = 0
    for i, (a, b) in enumerate(combinations(usable, 2)):
        if found == PAIRS or i % 17 or a.part == b.part or _hides(a, b):
            continue
        names = [n for n in (*QUICK, *SLOW[:2]) if a.fits(BASES[n]) and b.fits(BASES[n])]
        if names:
            found += 1
            name = names[found % len(names)]
            yield Job(f"{name}: {a.name} + {b.name}", BASES[name], (a, b))


def _hides(a: Fault, b: Fault) -> bool:
    return any(fnmatch(y.code, p) for x, y in ((a, b), (b, a)) for p in x.consequences) or a.code == b.code


MILD = frozenset(
    {
        "augmentation.missing",
        "augmentation.on_evaluation",
        "batchnorm.momentum",
        "schedule.missing",
        "schedule.never_decays",
        "normalization.train_eval_mismatch",
        "decay.missing",
        "optimizer.no_momentum",
        "data.imbalance",
        "data.leakage",
        "dropout.too_high",
        "schedule.step_unit",
        "loss.softmax_before_cross_entropy",
        "normalization.wrong_statistics",
    }
)


def on_base(name: str) -> Iterator[Job]:
    """One base, its variations, and every fault that fits it: first one of each code, so that a part of a run covers all."""
    yield from (job for job in healthy() if job.base.name == name)
    fitting = [fault for fault in FAULTS if fault.fits(BASES[name])]
    first = {fault.code: fault for fault in reversed(fitting)}
    rest = [fault for fault in fitting if fault is not first[fault.code]]
    for fault in (*reversed(first.values()), *rest):
        yield Job(f"{name}: {fault.name}", BASES[name], (fault,))


def named(name: str) -> Job:
    """The job of that name, wherever in the plan, or beyond it on its base."""
    return next(job for job in chain(jobs(), on_base(name.partition(":")[0])) if job.name == name)


def jobs(kinds: Iterable[str] = ("healthy", "sick", "pairs")) -> list[Job]:
    """The whole plan, or some kinds of it."""
    makers = {"healthy": healthy, "sick": sick, "pairs": pairs}
    return [job for kind in kinds for job in makers[kind]()]


# Seconds of a diagnosis that the regression part may hold: it must end within 4 minutes.
LONGEST = 15.0


def regression(seconds: Mapping[str, float]) -> list[Job]:
    """About 40 trainings over all areas, what CI repeats: of every second fault the training that took least time.

    Faults that no training shows within LONGEST seconds are left to the whole bench.
    seconds: of the jobs, by name, as the committed table has them.
    """
    cheapest: dict[str, Job] = {}
    for job in (j for j in sick() if isinstance(j.base, Parts)):
        fault = job.faults[0].name
        if fault not in cheapest or _seconds(job, seconds) < _seconds(cheapest[fault], seconds):
            cheapest[fault] = job
    sound = [j for j in healthy() if j.base.name in QUICK]
    zoo = [j for j in (*healthy(), *sick()) if j.base.name == "zoo"]
    brief = [job for job in cheapest.values() if seconds.get(job.name, 0.0) <= LONGEST]
    return [*sound[::12], *zoo[::5], *brief[1::2]]


def _seconds(job: Job, seconds: Mapping[str, float]) -> float:
    return seconds.get(job.name, math.inf)
