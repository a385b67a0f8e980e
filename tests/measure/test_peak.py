"""The rate to judge where the schedule is not of torch."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.optimizers import parameter_groups
from trainingdoctor.measure.peak import unscheduled_peak


def peak(lr: float, rates: Sequence[float], built: float = 0.0, initial: float | None = None) -> float:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    if initial is not None:
        optimizer.param_groups[0]["initial_lr"] = initial
    seen = SimpleNamespace(steps=[SimpleNamespace(rate=rate) for rate in rates])
    return unscheduled_peak(parameter_groups((optimizer,), None)[0], built, seen)  # type: ignore[arg-type]


def test_a_warm_up_of_a_foreign_scheduler_is_no_low_rate() -> None:
    assert peak(1e-5, (1e-5, 1e-5), initial=0.05) == 0.05
    assert peak(0.1, ()) == 0.1


def test_a_rate_that_a_loop_raises_goes_to_where_the_optimizer_was_built() -> None:
    assert peak(1e-4, (1e-4, 2e-4, 3e-4), built=0.01) == 0.01
    assert peak(0.1, (0.1, 0.1, 0.05), built=0.4) == 0.1
    with pytest.raises(Unavailable, match="how far was not seen"):
        peak(1e-4, (1e-4, 2e-4), built=1e-4)
