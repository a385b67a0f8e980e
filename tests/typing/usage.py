"""The public names as users write them. Nothing runs this: `mypy` checks that the types are what they should be."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, assert_type

import torch
from torch import nn

import trainingdoctor
from trainingdoctor import (
    AugmentationPairs,
    Check,
    Cost,
    Evidence,
    Finding,
    LrCurve,
    Note,
    OneStep,
    Report,
    ScheduleTrace,
    Severity,
    Training,
    TrainingUnwell,
    Unavailable,
    UserCodeError,
    UserError,
    Verdicts,
    check,
    critical,
    evidence,
    info,
    warning,
)
from trainingdoctor.testing import assert_healthy, assert_unwell


@dataclass(frozen=True)
class Embeddings:
    rows: int


@evidence(cost="inspect")
def embeddings(model: nn.Module) -> Embeddings:
    if not isinstance(model, nn.Embedding):
        raise Unavailable("the model has no embedding")
    return Embeddings(model.num_embeddings)


@check("mylab.rows", cost=Cost.PROBE, explains=("loss.*",), references=("a paper",))
def rows(embeddings: Embeddings, *, most: int = 8) -> Verdicts:
    if embeddings.rows > most:
        yield warning("Many rows.", "fewer", where="model", confidence=0.5, rows=embeddings.rows)
    else:
        yield Note("few rows")


def of_checks() -> None:
    assert_type(embeddings, Evidence)
    assert_type(rows, Check)
    assert_type(rows.cost, Cost)
    assert_type(rows.manual, str)
    assert_type(rows(Embeddings(3), most=2), list[Finding | Note])
    assert_type(assert_unwell(rows, Embeddings(9), severity="warning", mentions="rows"), Finding)
    assert_type(assert_healthy(rows, Embeddings(3)), tuple[Note, ...])
    assert_type(critical("wrong", "right"), Finding)
    assert_type(info("wrong", "right").severity, Severity)


def of_diagnoses(model: nn.Module, loader: Iterable[Any], optimizer: torch.optim.Optimizer) -> None:
    training = Training(model=model, train_loader=loader, criterion=nn.CrossEntropyLoss(), optimizer=optimizer)
    report = trainingdoctor.diagnose(training, device="cpu", seed=1)
    assert_type(report, Report)
    assert_type(report.root_causes, tuple[str, ...])
    assert_type(trainingdoctor.__version__, str)
    with trainingdoctor.observe(on_finding="stop") as doctor:
        pass
    assert_type(doctor.report, Report | None)


def of_measurements(model: nn.Module, loader: Iterable[Any], optimizer: torch.optim.Optimizer) -> None:
    criterion = nn.CrossEntropyLoss()
    assert_type(trainingdoctor.lr_range_test(model, loader, criterion, optimizer, steps=40), LrCurve)
    assert_type(trainingdoctor.schedule_trace(optimizer, None, epochs=3), ScheduleTrace)
    assert_type(trainingdoctor.one_step(model, loader, criterion, optimizer), OneStep)
    assert_type(trainingdoctor.augmentation_pairs(loader), AugmentationPairs)
    with trainingdoctor.restored(model, optimizer) as nothing:
        assert_type(nothing, None)


def of_errors(unwell: TrainingUnwell, theirs: UserCodeError, wrong: UserError) -> None:
    assert_type(unwell.report, Report)
    for error in (theirs, wrong):
        assert_type(str(error), str)
