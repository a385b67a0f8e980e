"""The runner: skipping, crashing, time limits, sharing, selection."""

import time
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from trainingdoctor import (
    Training,
    Unavailable,
    UserError,
    Verdicts,
    check,
    critical,
    diagnose,
    evidence,
    measuring,
    warning,
)
from trainingdoctor.errors import Reason
from trainingdoctor.registry import Registry
from trainingdoctor.report import Outcome, Verdict
from trainingdoctor.settings import Settings

CALLS: list[str] = []


@evidence()
def counted(model: Any) -> int:
    CALLS.append("counted")
    return 3


@evidence()
def absent(model: Any) -> int:
    raise Unavailable("does not apply here")


@evidence()
def slow(model: Any) -> int:
    time.sleep(30)
    return 1


@check("a.first", explains=("a.second",))
def first(counted: int, *, least: int = 2) -> Verdicts:
    """First."""
    if counted > least:
        yield warning(f"{counted} found", "less", number=counted)


@check("a.second")
def second(counted: int) -> Verdicts:
    """Second."""
    yield critical("symptom", "see the cause", confidence=0.99) if counted else warning("", "")


@check("a.crashes")
def crashes(model: Any) -> Verdicts:
    """Crashes."""
    raise ZeroDivisionError("oops")
    yield


@check("a.absent")
def needs_absent(absent: int) -> Verdicts:
    """Needs something absent."""
    yield warning("never", "never")


@check("a.slow")
def needs_slow(slow: int) -> Verdicts:
    """Hangs."""
    yield warning("never", "never")


@check("a.loader")
def needs_loader(train_loader: Any) -> Verdicts:
    """Needs a loader."""
    yield warning("never", "never")


def registry(*items: Any) -> Registry:
    found = Registry()
    found.add((counted, absent, slow, *items))
    return found


def outcomes(report: Any) -> dict[str, Outcome]:
    return {r.code: r.outcome for r in report.results}


def test_evidence_is_measured_once_and_the_cause_leads() -> None:
    CALLS.clear()
    report = diagnose(Training(model=nn.Linear(1, 1)), registry=registry(first, second))
    assert CALLS == ["counted"]
    assert report.root_causes == ("a.first",)
    assert [f.code for f in report.findings] == ["a.first", "a.second"]
    assert report.findings[0].explains == ("a.second",)
    assert report.verdict is Verdict.UNWELL


def test_a_crash_is_one_line_and_the_rest_goes_on() -> None:
    report = diagnose(Training(model=nn.Linear(1, 1)), registry=registry(crashes, first))
    assert outcomes(report) == {"a.crashes": Outcome.CRASHED, "a.first": Outcome.UNWELL}
    assert "ZeroDivisionError: oops" in report.results[0].reason


def test_what_is_missing_is_said_with_what_to_add() -> None:
    report = diagnose(Training(model=nn.Linear(1, 1)), registry=registry(needs_loader, needs_absent))
    loader, inapplicable = report.results
    assert loader.skipped_for is Reason.MISSING
    assert "train_loader = DataLoader" in loader.reason
    assert inapplicable.reason == "does not apply here"
    assert report.verdict is Verdict.UNDECIDED


def test_a_hanging_measurement_ends_with_the_time_limit() -> None:
    started = time.perf_counter()
    report = diagnose(Training(model=nn.Linear(1, 1)), registry=registry(needs_slow), settings=Settings(time_limit=0.5))
    assert report.results[0].skipped_for is Reason.TIME
    assert time.perf_counter() - started < 10


def test_thresholds_and_selection_reach_the_checks() -> None:
    settings = Settings(thresholds={"a.first": {"least": 5}}, ignore={"a.second": "known"})
    report = diagnose(Training(model=nn.Linear(1, 1)), registry=registry(first, second), settings=settings)
    assert outcomes(report) == {"a.first": Outcome.HEALTHY, "a.second": Outcome.SKIPPED}
    assert report.results[1].reason == "ignored: known"


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("no forward today")


class BrokenData(Dataset):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> Any:
        raise OSError("file 7 is gone")


def test_what_the_users_code_raises_is_a_finding_with_its_line(training: Any) -> None:
    report = diagnose(training(model=Broken()), settings=Settings(quick=True))
    found = next(f for f in report.findings if f.code == "training.raises")
    assert "the model's forward raised ValueError: no forward today" in found.message
    assert found.where[0].startswith("test_runner.py:")
    assert not any(r.outcome is Outcome.CRASHED for r in report.results)


def test_a_broken_data_set_does_not_stop_the_report(training: Any) -> None:
    report = diagnose(training(train_loader=DataLoader(BrokenData(), batch_size=2)), settings=Settings(quick=True))
    assert "training.raises" in report.root_causes
    assert not any(r.outcome is Outcome.CRASHED for r in report.results)


@pytest.mark.parametrize("missing", ["train_loader", "criterion", "optimizer", "epochs", "val_loader", "scheduler"])
def test_every_field_may_be_absent(training: Any, missing: str) -> None:
    fields = {f: getattr(training(), f) for f in Training.field_names()}
    report = diagnose(Training(**{**fields, missing: None}), settings=Settings(quick=True))
    assert not any(r.outcome is Outcome.CRASHED for r in report.results)


@pytest.mark.parametrize("code", ["first", "A.first", "a.b.c", "a-b.c", ""])
def test_codes_are_area_and_fault(code: str) -> None:
    with pytest.raises(ValueError, match=r"area\.fault"):
        check(code)


def test_evidence_without_the_training_needs_none_of_its_objects() -> None:
    lazy = nn.LazyLinear(3)
    report = diagnose(Training(model=lazy), settings=Settings(select=("env",)))
    assert {o for c, o in outcomes(report).items() if c in ("env.python", "env.torch", "env.disk")} == {Outcome.HEALTHY}


def test_fields_of_the_wrong_type_are_a_sentence() -> None:
    with pytest.raises(UserError, match="epochs must be a number"):
        diagnose(Training(model=nn.Linear(1, 1), epochs=float("nan")))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="criterion must be a callable"):
        diagnose(Training(model=nn.Linear(1, 1), criterion=nn.MSELoss))


def test_optimizers_that_need_a_closure_are_examined_without_a_step(training: Any) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(432, 4))
    subject = training(model=model, optimizer=torch.optim.LBFGS(model.parameters()), scheduler=None)
    report = diagnose(subject)
    assert [r.code for r in report.results if r.outcome is Outcome.CRASHED] == []
    assert [f.code for f in report.findings if f.code == "training.raises"] == []


def test_one_batch_of_all_samples_has_no_order(training: Any) -> None:
    whole = DataLoader(training().train_loader.dataset, batch_size=96)
    report = diagnose(training(train_loader=whole), settings=Settings(quick=True))
    assert "data.not_shuffled" not in {f.code for f in report.findings}


def test_too_little_examined_is_undecided(training: Any) -> None:
    fields = {f: getattr(training(), f) for f in Training.field_names()}
    report = diagnose(Training(**{**fields, "optimizer": None, "scheduler": None}), settings=Settings(quick=True))
    assert report.verdict is Verdict.UNDECIDED


def test_checks_that_train_come_last(training: Any) -> None:
    ran: list[str] = []
    results = diagnose(
        training(),
        settings=Settings(quick=True, select=("schedule",)),
        progress=lambda _done, _of, code: ran.append(code),
    ).results
    ranks = {r.code: r.cost.rank for r in results if r.code != "training.raises"}
    order = [ranks[code] for code in ran if code in ranks]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2}


def test_a_measurement_that_touches_nothing_leaves_time_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    @evidence(cost="probe")
    def elsewhere() -> int:
        time.sleep(1e6)
        return 1

    @check("lab.elsewhere", cost="probe")
    def waits(elsewhere: int) -> Verdicts:
        """Waits for another process."""
        yield critical("It came.", "None.", value=elsewhere)

    @check("lab.here", cost="train")
    def works(model: nn.Module) -> Verdicts:
        """Needs no time."""
        yield critical("A model.", "None.", value=len(list(model.parameters())))

    # Half a second of ten minutes: however busy the machine is, the other check gets its turn.
    monkeypatch.setattr(measuring, "SHARES", dict.fromkeys(measuring.SHARES, 1e-3))
    monkeypatch.setattr(measuring, "A_FEW", 0.0)
    registry = Registry()
    registry.add([elsewhere, waits, works])
    report = diagnose(Training(model=nn.Linear(2, 2)), registry=registry)
    outcomes = {r.code: (r.outcome, r.skipped_for) for r in report.results}
    assert outcomes["lab.elsewhere"] == (Outcome.SKIPPED, Reason.TIME)
    assert outcomes["lab.here"] == (Outcome.UNWELL, None)
