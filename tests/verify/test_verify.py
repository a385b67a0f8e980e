"""Trainings before and after, judged; and a plan that goes on where it was interrupted."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from trainingdoctor import UserError
from trainingdoctor.runs import Runs
from trainingdoctor.verify.execute import Executor, executor
from trainingdoctor.verify.judge import Judgement
from trainingdoctor.verify.plan import Variant, planned
from trainingdoctor.verify.task import Outcome, Size, Task, run_task
from trainingdoctor.verify.verify import Verifier

SIZE = Size(samples=400, epochs=4, evaluation=200, longest=20)


def here(tasks: Sequence[Task]) -> Iterator[Outcome]:
    return map(run_task, tasks)


def verifier(config: Path, execute: Executor = here, **more: object) -> Verifier:
    task = Task("", config, 0, SIZE)
    return Verifier(task, Size(600, 20, 600, 20), 60.0, 3, execute, **more)  # type: ignore[arg-type]


def variants(config: Path, before: str) -> list[Variant]:
    return [Variant("before", {config: before}), Variant("after")]


def test_a_cure_is_measured_as_one(config: Path, slow: str) -> None:
    found = verifier(config).verify(variants(config, slow))
    assert found.whole is not None
    assert found.whole.judgement is Judgement.IMPROVED
    assert found.whole.low is not None
    assert found.whole.low > 20
    assert len(found.outcomes) == 6


def test_no_difference_is_said_where_there_is_none(config: Path) -> None:
    found = verifier(config).verify(variants(config, config.read_text() + "\n# a comment\n"))
    assert found.whole is not None
    assert found.whole.judgement is Judgement.NO_DIFFERENCE
    assert (found.whole.points, found.whole.low, found.whole.high) == (0.0, 0.0, 0.0)


def test_fixes_are_judged_one_by_one(config: Path, slow: str) -> None:
    tried = [*variants(config, slow), Variant("without lr.too_low", {config: slow}), Variant("only lr.too_low")]
    (part,) = verifier(config).verify(tried).parts
    assert part.code == "lr.too_low"
    assert part.alone is not None
    assert part.left_out is not None
    assert part.alone.judgement is part.left_out.judgement is Judgement.IMPROVED


def test_a_variant_that_raises_is_an_outcome_in_a_sentence(config: Path) -> None:
    broken = config.read_text().replace("nn.Linear(16, 4)", "nn.Linear(17, 4)")
    found = verifier(config).verify(variants(config, broken))
    assert found.whole is not None
    assert found.whole.judgement is Judgement.IMPROVED
    (error,) = {o.error for o in found.outcomes if o.variant == "before"}
    assert "cannot be trained" in error


def test_equal_seeds_give_equal_figures_in_any_process(config: Path) -> None:
    task = Task("after", config, 1, SIZE)
    (elsewhere,) = executor("local")([task])
    assert elsewhere.accuracy == run_task(task).accuracy
    assert run_task(replace(task, seed=2)).accuracy != elsewhere.accuracy


def test_an_interrupted_plan_goes_on_and_ends_with_the_same_figures(config: Path, slow: str) -> None:
    whole = verifier(config).verify(variants(config, slow))
    runs, ran = Runs.beside(config), []

    def interrupted(tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            if len(ran) == 4:
                raise KeyboardInterrupt
            ran.append(task)
            yield run_task(task)

    def counted(tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            ran.append(task)
            yield run_task(task)

    # The pace differs from run to run, and the plan with it: it is kept, too.
    with pytest.raises(KeyboardInterrupt):
        verifier(config, interrupted, runs=runs).verify(variants(config, slow))
    resumed = verifier(config, counted, runs=runs).verify(variants(config, slow))
    assert len(ran) == 1 + 6
    again = verifier(config, counted, runs=runs).verify(variants(config, slow))
    assert len(ran) == 7
    assert again.whole == resumed.whole
    assert resumed.whole is not None
    assert whole.whole is not None
    assert resumed.whole.judgement is whole.whole.judgement


def test_a_changed_source_is_trained_anew(config: Path, slow: str) -> None:
    ran: list[Task] = []

    def counted(tasks: Sequence[Task]) -> Iterator[Outcome]:
        ran.extend(tasks)
        return map(run_task, tasks)

    runs = Runs.beside(config)
    verifier(config, counted, runs=runs).verify(variants(config, slow))
    config.write_text(config.read_text().replace("momentum=0.9", "momentum=0.8"))
    before = len(ran)
    verifier(config, counted, runs=runs).verify(variants(config, slow))
    assert len(ran) == 2 * before


def test_a_worker_that_dies_is_told_and_the_others_are_done(config: Path) -> None:
    dies = (
        config.read_text()
        + "\nimport os, multiprocessing\nif multiprocessing.parent_process(): os.kill(os.getpid(), 9)\n"
    )
    tasks = [Task("before", config, 0, SIZE, {config: dies}), Task("after", config, 0, SIZE)]
    outcomes = {o.variant: o for o in executor("local")(tasks)}
    assert "its process died" in outcomes["before"].error
    assert outcomes["after"].accuracy is not None


def test_an_executor_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(UserError, match="use local or ray"):
        executor("slurm")


def test_a_plan_that_takes_longer_than_its_budget_is_cut_and_goes_on_later(config: Path, slow: str) -> None:
    runs = Runs.beside(config)
    hasty = replace(verifier(config, runs=runs), budget=0.9, seeds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainingdoctor.verify.verify.OVERTIME", 0.0)
        patch.setattr("trainingdoctor.verify.verify.planned", lambda *a: planned(a[0], a[1], 60.0, *a[3:]))
        cut = hasty.verify(variants(config, slow))
        assert len(cut.outcomes) == 1
        assert cut.whole is None or cut.whole.judgement is Judgement.UNTOLD
        assert len(hasty.verify(variants(config, slow)).outcomes) == 2


def test_whoever_stops_listening_ends_the_workers(config: Path) -> None:
    endless = (
        config.read_text() + "\nimport time, multiprocessing\nif multiprocessing.parent_process(): time.sleep(60)\n"
    )
    tasks = [Task("after", config, 0, SIZE), Task("before", config, 0, SIZE, {config: endless})]
    outcomes = executor("local", jobs=2)(tasks)
    began = time.monotonic()
    assert next(outcomes).variant == "after"
    outcomes.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 40
    assert not multiprocessing.active_children()
