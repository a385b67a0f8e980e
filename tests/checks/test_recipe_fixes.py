"""What fixes of loaders and optimizers set, seen without a source: the values, and when there is nothing to set."""

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn
from torch.optim import SGD, Adam, lr_scheduler

from trainingdoctor import warning
from trainingdoctor_checks.fixes.loader import seed_workers, whole_last_batch
from trainingdoctor_checks.fixes.optimizer import set_rate, use_sgd


class Told:
    """A provenance that tells what is asked of it."""

    def setting(self, value: Any, what: str, name: str, text: str) -> tuple[str, str, str]:
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
