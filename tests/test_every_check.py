"""The rules of the house, held over every check: looking changes nothing, manuals are complete, costs are declared."""

import copy
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from trainingdoctor import Check, Training, diagnose
from trainingdoctor.check import Cost
from trainingdoctor.registry import Registry, load_registry
from trainingdoctor.report import Outcome

REGISTRY = load_registry()
CHECKS = list(REGISTRY.checks.values())
HEADINGS = ("What it does:", "Why it costs accuracy:", "Remedy:", "Thresholds:", "Measured:")


def snapshot(training: Training) -> dict[str, Any]:
    model, optimizer = training.model, training.optimizer
    assert model is not None
    return {
        "state": {k: v.clone() for k, v in model.state_dict().items()},
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "hooks": [len(m._forward_hooks) for m in model.modules()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "scheduler": copy.deepcopy(training.scheduler.state_dict()),
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),
        "grad": torch.is_grad_enabled(),
    }


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def test_there_are_checks_and_none_is_broken() -> None:
    assert len(CHECKS) >= 80
    assert REGISTRY.broken == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_manual_has_all_headings(check: Check) -> None:
    assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", check.code)
    assert check.title.endswith(".")
    missing = [h for h in HEADINGS if h not in check.manual]
    assert missing == []


def cost_of(name: str, registry: Registry) -> Cost:
    evidence = registry.evidence(name)
    if evidence is None:
        return Cost.INSPECT
    costs = [evidence.cost, *(cost_of(n, registry) for n in evidence.needs if n not in evidence.optional)]
    return max(costs, key=lambda c: c.rank)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.code)
def test_declared_cost_and_needs_exist(check: Check) -> None:
    known = [n for n in check.needs if n in Training.field_names() or n == "failures" or REGISTRY.evidence(n)]
    assert known == list(check.needs)
    dearest = max([Cost.INSPECT, *(cost_of(n, REGISTRY) for n in check.needs)], key=lambda c: c.rank)
    assert check.cost is dearest


def test_looking_changes_nothing(training: Any) -> None:
    subject = training()
    # Not fresh: gradients, momentum buffers and a moved scheduler must come back too.
    x, y = next(iter(subject.train_loader))
    subject.criterion(subject.model(x), y).backward()
    subject.optimizer.step()
    subject.scheduler.step()
    subject.model.eval()
    before = snapshot(subject)
    report = diagnose(subject)
    assert not [r for r in report.results if r.outcome is Outcome.CRASHED]
    after = snapshot(subject)
    assert [key for key in before if not equal(before[key], after[key])] == []


class Exploding(torch.nn.Module):
    """Works once, then raises in the middle of a measurement."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(432, 4)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls % 3 == 2:
            raise RuntimeError("the third time unlucky")
        return self.layer(x.flatten(1))


def test_looking_changes_nothing_after_exceptions_either(training: Any) -> None:
    subject = training(model=Exploding())
    before = snapshot(subject)
    report = diagnose(subject)
    after = snapshot(subject)
    assert any(f.code == "training.raises" for f in report.findings)
    assert subject.model.calls == 0
    assert [key for key in before if not equal(before[key], after[key])] == []


def test_a_healthy_training_is_healthy(training: Any) -> None:
    report = diagnose(training())
    assert [f.code for f in report.findings if f.severity != "info"] == []
    assert report.verdict == "healthy"


def test_checks_load_without_torch() -> None:
    code = "import sys; from trainingdoctor.registry import load_registry; r = load_registry(); print(len(r.checks), 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(out[0]) == len(CHECKS)
    assert out[1] == "False"
