"""Faults of several processes, on handmade traces."""

from dataclasses import replace
from typing import Any

import pytest

from trainingdoctor import Unavailable
from trainingdoctor.check import Check
from trainingdoctor.finding import Finding, Severity
from trainingdoctor.measure.batches import BatchSize
from trainingdoctor.measure.batchnorm import BatchNormLayer, BatchNormLayers
from trainingdoctor.measure.optimizers import Group
from trainingdoctor.observing.seen import DistributedSeen
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor_checks import distributed as checks

GOOD = DistributedSeen(world=8, wrapped=True, through=50, bypassed=0, sampler_epochs=((0, 1, 2),))
LAYER = BatchNormLayer("bn", 16, 0.1, 1e-5, True, True, True, True, True, 0)
GROUP = Group("optimizer.param_groups[0]", "SGD", 0.8, 0.8, 1e-4, 0.9, False, None, None, 1, 1)


def found(check: Check, seen: DistributedSeen, *evidence: Any) -> list[Severity]:
    return [f.severity for f in check(LoopTrace(distributed=seen), *evidence) if isinstance(f, Finding)]


@pytest.mark.parametrize(
    ("check", "seen", "evidence", "severity"),
    [
        (checks.sampler_epoch, replace(GOOD, sampler_epochs=((0, 0),)), (), Severity.WARNING),
        (checks.bypassed, replace(GOOD, through=0, bypassed=20), (), Severity.CRITICAL),
        (checks.bypassed, replace(GOOD, wrapped=False, through=0), (), Severity.WARNING),
        (checks.batchnorm, GOOD, (BatchSize(4), BatchNormLayers((LAYER,), True)), Severity.WARNING),
        (checks.rate, GOOD, ((replace(GROUP, lr=0.1),), BatchSize(256)), Severity.INFO),
    ],
)
def test_sick(check: Check, seen: DistributedSeen, evidence: tuple[Any, ...], severity: Severity) -> None:
    assert found(check, seen, *evidence) == [severity]


@pytest.mark.parametrize(
    ("check", "evidence"),
    [
        (checks.sampler_epoch, ()),
        (checks.bypassed, ()),
        (checks.batchnorm, (BatchSize(32), BatchNormLayers((LAYER,), True))),
        (checks.batchnorm, (BatchSize(4), BatchNormLayers((replace(LAYER, synchronized=True),), True))),
        (checks.rate, ((GROUP,), BatchSize(256))),
    ],
)
def test_healthy(check: Check, evidence: tuple[Any, ...]) -> None:
    assert found(check, GOOD, *evidence) == []


def test_one_process_is_another_matter() -> None:
    with pytest.raises(Unavailable, match="one process"):
        checks.bypassed(LoopTrace())
