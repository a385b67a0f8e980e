"""Carry out a plan of trainings, and judge: before against after, and each fix by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trainingdoctor.errors import UserError
from trainingdoctor.runs import Runs, digest, sources_of
from trainingdoctor.verify.execute import Executor
from trainingdoctor.verify.judge import Difference, Sample, difference
from trainingdoctor.verify.plan import Pace, Plan, Variant, planned
from trainingdoctor.verify.task import Outcome, Size, Task

BEFORE, AFTER = "before", "after"
WITHOUT, ONLY = "without ", "only "
# Trainings that take longer than they were timed at, as on a machine that got busy, are left out beyond this many budgets.
OVERTIME = 1.25
# The trial that tells the pace: long enough that the first, slow steps do not count for much.
TRIAL = Size(samples=1024, epochs=1, evaluation=128)


@dataclass(frozen=True)
class Part:
    """What one fix carries. alone: it added to the config as it is.  left_out: all the others against all of them."""

    code: str
    alone: Difference | None
    left_out: Difference | None


@dataclass(frozen=True)
class Verification:
    """samples: accuracies of each variant.  whole: before against after; None where only one was trained."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    whole: Difference | None
    parts: tuple[Part, ...] = ()

    @property
    def samples(self) -> dict[str, Sample]:
        """By variant."""
        return collected(self.outcomes)


@dataclass(frozen=True)
class Verifier:
    """task: what all trainings share.  runs: where outcomes are kept, so that an interrupted plan goes on."""

    task: Task
    available: Size
    budget: float
    seeds: int
    execute: Executor
    jobs: int = 1
    runs: Runs | None = None
    say: Callable[[str], object] = field(default=lambda _: None)

    def verify(self, variants: Sequence[Variant]) -> Verification:
        """Train all variants that the budget takes. Raises UserError where it takes not even the first two."""
        plan = self._plan(variants)
        self.say(_announced(plan))
        outcomes = list(self._outcomes(plan.tasks(self.task)))
        samples = collected(outcomes)
        whole = difference(samples[BEFORE], samples[AFTER]) if {BEFORE, AFTER} <= set(samples) else None
        return Verification(plan, tuple(outcomes), whole, tuple(_parts(samples)))

    def _plan(self, variants: Sequence[Variant]) -> Plan:
        """The plan that was kept for exactly this, or a new one after a trial of the pace."""
        named = [(v.name, v.config, sorted((str(k), t) for k, t in v.texts.items())) for v in variants]
        key = digest("plan", sources_of(self.task.config), named, self.budget, self.seeds, self.jobs, self.task.device)
        kept = self.runs.kept(key) if self.runs else None
        pace = Pace(**kept) if kept else self._pace(variants)
        if self.runs and not kept:
            self.runs.keep(key, asdict(pace))
        return planned(variants, pace, self.budget, self.seeds, self.available, self.jobs)

    def _pace(self, variants: Sequence[Variant]) -> Pace:
        """From a trial of the last state that trains: the one before may be broken."""
        self.say("timing a short training")
        for variant in reversed(variants[:2]):
            outcome = next(iter(self.execute([variant.task(self.task, size=TRIAL)])))
            if outcome.accuracy is not None:
                return Pace.of(outcome)
        raise UserError(outcome.error)

    def _outcomes(self, tasks: Sequence[Task]) -> Iterable[Outcome]:
        # Read once: all trainings of a plan are of the same files.
        sources = {config: sources_of(config) for config in {t.config for t in tasks}}
        keys = {(t.variant, t.seed): _key(t, sources[t.config]) for t in tasks}
        began = time.monotonic()
        known = {k: self.runs.kept(key) for k, key in keys.items()} if self.runs else {}
        done = [Outcome(**value) for value in known.values() if value is not None]
        yield from done
        left = [t for t in tasks if known.get((t.variant, t.seed)) is None]
        for number, outcome in enumerate(self.execute(left), len(done) + 1):
            if self.runs:
                self.runs.keep(keys[outcome.variant, outcome.seed], asdict(outcome))
            told = outcome.error if outcome.accuracy is None else f"{outcome.accuracy:.2f} %"
            self.say(f"{number}/{len(tasks)}  {outcome.variant}, seed {outcome.seed}: {told}")
            yield outcome
            if time.monotonic() - began > OVERTIME * self.budget and number < len(tasks):
                self.say(
                    f"the budget is used up: {len(tasks) - number} trainings are left out; the same command goes on with them"
                )
                return


def _key(task: Task, sources: dict[str, str]) -> str:
    """What an outcome is kept under: all that it depends on."""
    texts = sorted((str(k), t) for k, t in task.texts.items())
    size = asdict(task.size)
    return digest("outcome", task.variant, sources, task.config.name, texts, task.seed, size, task.device)


def collected(outcomes: Iterable[Outcome]) -> dict[str, Sample]:
    """Accuracies by variant and seed."""
    by_variant: dict[str, dict[int, float | None]] = {}
    for outcome in outcomes:
        by_variant.setdefault(outcome.variant, {})[outcome.seed] = outcome.accuracy
    return {name: Sample(name, by_seed) for name, by_seed in by_variant.items()}


def _parts(samples: dict[str, Sample]) -> Iterable[Part]:
    codes = [n.removeprefix(p) for n in samples for p in (WITHOUT, ONLY) if n.startswith(p)]
    for code in dict.fromkeys(codes):
        alone, without = samples.get(ONLY + code), samples.get(WITHOUT + code)
        yield Part(
            code,
            difference(samples[BEFORE], alone) if alone else None,
            difference(without, samples[AFTER]) if without else None,
        )


def _announced(plan: Plan) -> str:
    size = plan.size
    return (
        f"{len(plan.variants)} variants, {len(plan.seeds)} seeds each, {size.epochs} epochs of {size.samples:,} samples: about "
        f"{plan.seconds:.0f} s"
    )


def as_dict(verification: Verification, config: Path) -> dict[str, Any]:
    """JSON-able."""
    return {
        "config": config.name,
        "size": asdict(verification.plan.size),
        "seeds": list(verification.plan.seeds),
        "whole": None if verification.whole is None else asdict(verification.whole),
        "parts": [asdict(p) for p in verification.parts],
        "left_out": [v.name for v in verification.plan.left_out],
        "outcomes": [asdict(o) for o in verification.outcomes],
    }
