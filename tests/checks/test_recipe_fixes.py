"""What fixes of loaders and optimizers set, seen without a source: the values, and when there is nothing to set."""

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn
from torch.optim import SGD, Adam, lr_scheduler

from trainingdoctor import warning
from trainingdoctor.measure.schedule import ScheduleTrace, trace
from trainingdoctor.remedy import NotFixable, Replace
from trainingdoctor_checks import schedule as checks
from trainingdoctor_checks.fixes.loader import seed_workers, whole_last_batch
from trainingdoctor_checks.fixes.optimizer import set_rate, use_sgd
from trainingdoctor_checks.fixes.schedule import fit_to_run


class Told:
    """A provenance that tells what is asked of it."""

    def setting(self, value: Any, what: str, name: str, text: str, alone: bool = False) -> tuple[str, str, str]:
        return what, name, text

    def call(self, value: Any, what: str) -> Any:
        return SimpleNamespace(place=None, what=what)


def loader(samples: int, drop_last: bool) -> Any:
    return SimpleNamespace(dataset=range(samples), batch_size=32, drop_last=drop_last)


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        (loader(65, False), loader(64, False), [("train_loader", "drop_last", "True")]),
        (loader(80, True), loader(64, False), [("train_loader", "drop_last", "False")]),
        (loader(64, False), loader(70, True), [("val_loader", "drop_last", "False")]),
        (loader(64, False), None, []),
    ],
)
def test_a_last_batch_of_one_is_dropped_and_no_other(train: Any, val: Any, told: list[Any]) -> None:
    assert list(whole_last_batch.function(train_loader=train, val_loader=val, provenance=Told())) == told


def test_workers_are_seeded_by_a_function_before_the_loader() -> None:
    function, argument = seed_workers.function(train_loader=loader(64, False), provenance=Told())
    assert "numpy.random.seed(torch.initial_seed()" in function.text
    assert (argument.name, argument.value) == ("worker_init_fn", "seed_worker")


def told_rate(scheduler: Any, optimizer: Any, peak: float) -> list[Any]:
    finding = warning("Too low.", "optimizer = SGD(params, lr=0.1)")
    edits = set_rate.function(
        finding=finding,
        optimizer=optimizer,
        scheduler=scheduler,
        schedule_trace=SimpleNamespace(group=0, peak=peak),
        rate_trials=None,
        architecture=None,
        provenance=Told(),
    )
    return list(edits)


def test_a_rate_is_set_where_the_peak_comes_from() -> None:
    optimizer = SGD(nn.Linear(2, 2).parameters(), lr=0.01)
    assert told_rate(None, optimizer, 0.01) == [("the optimizer", "lr", "0.1")]
    # A schedule that goes up to ten times the optimizer's rate.
    assert told_rate(object(), optimizer, 0.1) == [("the optimizer", "lr", "0.01")]
    cycle = lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=10)
    assert told_rate(cycle, optimizer, 0.02) == [("the scheduler", "max_lr", "0.1")]


def test_sgd_gets_its_own_arguments_and_loses_those_of_adam() -> None:
    edits = list(use_sgd.function(optimizer=Adam(nn.Linear(2, 2).parameters()), provenance=Told()))
    named = {edit.name: getattr(edit, "value", None) for edit in edits[1:]}
    assert named == {
        "lr": "0.1",
        "momentum": "0.9",
        "weight_decay": "5e-4",
        "betas": None,
        "eps": None,
        "amsgrad": None,
    }


def planned(scheduler: Any, optimizer: Any, epochs: int, each: int = 1) -> tuple[ScheduleTrace, list[Any]]:
    """The simulated schedule, and what is to be set so that it ends with the run."""
    seen = trace(optimizer, scheduler, epochs, 10, "epoch", each)
    return seen, list(fit_to_run.function(scheduler=scheduler, schedule_trace=seen, provenance=Told()))


def sgd() -> SGD:
    return SGD(nn.Linear(2, 2).parameters(), lr=0.1)


def test_a_schedule_that_is_called_twice_an_epoch_gets_twice_as_many_calls() -> None:
    optimizer = sgd()
    seen, edits = planned(lr_scheduler.CosineAnnealingLR(optimizer, 30), optimizer, 30, each=2)
    assert edits == [("the scheduler", "T_max", "60")]
    (finding,) = [f for f in checks.restarts_at_end.function(seen) if f.remedy]
    assert (
        finding.remedy == "T_max=60 (now 30), so that the schedule ends with the run; it is called 2 times per epoch."
    )
    drops, edits = planned(lr_scheduler.MultiStepLR(optimizer, [300]), optimizer, 30, each=2)
    assert edits == [("the scheduler", "milestones", "[30, 45]")]
    said = list(checks.never_decays.function(drops, (SimpleNamespace(adaptive=False, averages_itself=False),), None))
    assert "milestones=[30, 45]" in said[0].remedy
    assert "called 2 times per epoch" in said[0].remedy


def warmed(optimizer: Any, warmup: int, then: int) -> Any:
    first = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [first, lr_scheduler.CosineAnnealingLR(optimizer, then)], [warmup])


def test_a_warmup_stays_and_what_follows_ends_with_the_run() -> None:
    optimizer = sgd()
    assert planned(warmed(optimizer, 5, 200), optimizer, 100)[1] == [("the scheduler", "T_max", "95")]


def test_a_warmup_longer_than_the_run_becomes_a_twentieth_of_it() -> None:
    optimizer = sgd()
    assert planned(warmed(optimizer, 500, 1000), optimizer, 100)[1] == [
        ("the warm-up", "total_iters", "5"),
        ("the scheduler", "milestones", "[5]"),
        ("the scheduler", "T_max", "95"),
    ]


def test_a_schedule_of_the_authors_own_is_left_to_him() -> None:
    optimizer = sgd()
    with pytest.raises(NotFixable, match="LambdaLR is to end with the run, after 100 calls"):
        planned(lr_scheduler.LambdaLR(optimizer, lambda _: 1.0), optimizer, 100)
    restarts = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 30)
    (edit,) = planned(restarts, optimizer, 100)[1]
    assert isinstance(edit, Replace)
    assert edit.text == "torch.optim.lr_scheduler.CosineAnnealingLR({first}, T_max=100)"
