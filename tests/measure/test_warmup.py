"""A start at the full rate is judged by trials, on a loss that is too steep at first."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from torch.utils.data import DataLoader, TensorDataset

from trainingdoctor import Training, diagnose
from trainingdoctor.report import Outcome, Report
from trainingdoctor.settings import Settings


class Steep(nn.Module):
    """Its loss is the fourth power of one weight: flat near zero, steep where the weight begins."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([start]))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight.expand(len(x), 1)


def fourth_power(output: Tensor, _target: Tensor) -> Tensor:
    return output.pow(4).mean() / 4


def diagnosed(rate: float, start: float = 10.0, scheduler: Any = lambda o: CosineAnnealingLR(o, 20)) -> Report:
    model = Steep(start)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    loader = DataLoader(TensorDataset(torch.zeros(64, 1), torch.zeros(64)), 32)
    training = Training(
        model=model,
        train_loader=loader,
        criterion=fourth_power,
        optimizer=optimizer,
        scheduler=scheduler(optimizer),
        epochs=20,
    )
    report = diagnose(training, settings=Settings(select=("schedule.warmup_missing",)))
    assert model.weight.item() == start
    return report


def test_a_warmup_that_heals_is_missing() -> None:
    (found,) = diagnosed(0.03).findings
    assert found.severity == "warning"
    assert "with a warm-up it is" in found.message


def test_a_rate_beyond_all_warmup_is_not_blamed_on_it() -> None:
    assert diagnosed(1e3).findings == ()


def test_a_calm_start_needs_none() -> None:
    assert diagnosed(0.03, start=1.0).findings == ()


def test_a_schedule_with_a_warmup_is_not_judged() -> None:
    report = diagnosed(0.03, scheduler=lambda o: LinearLR(o, 0.01, 1.0, 5))
    (result,) = [r for r in report.results if r.code == "schedule.warmup_missing"]
    assert result.outcome is Outcome.SKIPPED
    assert "begins with a warm-up" in result.reason
