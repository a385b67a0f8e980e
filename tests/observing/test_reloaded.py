"""The rate that a loaded state of an optimizer brings back."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from trainingdoctor.measure.schedule import ScheduleTrace
from trainingdoctor.observing.assemble import traced
from trainingdoctor.observing.hooks import observed
from trainingdoctor.observing.recorder import Recorder
from trainingdoctor.observing.trace import LoopTrace
from trainingdoctor.testing import assert_healthy, assert_unwell
from trainingdoctor_checks.scheduler import rate_reloaded

X, Y = torch.randn(8, 8), torch.arange(8) % 2


def schedule(peak: float) -> ScheduleTrace:
    return ScheduleTrace((peak, peak / 2, 0.0), "epoch", 3, 10, "CosineAnnealingLR", adaptive=False, horizon=3)


def resumed(
    rate: float = 1e-4, *, scheduler: Any = CosineAnnealingLR, goes_on: bool = False, by_hand: float | None = None
) -> LoopTrace:
    """A step after a state with such a rate was loaded into an optimizer that was built with 0.1."""
    model, recorder = nn.Linear(8, 2), Recorder(stops=False)
    state = torch.optim.SGD(model.parameters(), rate, momentum=0.9).state_dict()
    with observed(recorder):
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        optimizer.load_state_dict(state)
        if by_hand is not None:
            optimizer.param_groups[0]["lr"] = by_hand
        built: LRScheduler | ReduceLROnPlateau | None = scheduler and scheduler(optimizer, 10)
        if goes_on and built is not None:
            built.load_state_dict({**built.state_dict(), "last_epoch": 9})
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    return traced(recorder)


def test_a_schedule_that_starts_anew_over_the_rate_of_an_earlier_run() -> None:
    seen = resumed()
    assert seen.reloaded is not None
    assert (seen.reloaded.built, seen.reloaded.loaded) == (0.1, 1e-4)
    assert seen.reloaded.where.startswith("test_reloaded.py:")
    assert_unwell(rate_reloaded, seen, schedule(1e-4), severity="warning", mentions="0.0001")
    # A schedule that knows its own rate is not held down.
    assert_healthy(rate_reloaded, seen, schedule(0.1))


@pytest.mark.parametrize(
    "seen",
    [
        {"goes_on": True},
        {"scheduler": None},
        {"scheduler": lambda o, _: ReduceLROnPlateau(o)},
        {"by_hand": 0.05},
        {"rate": 0.1},
        {"rate": 0.05},
    ],
)
def test_states_that_are_loaded_in_order(seen: dict[str, Any]) -> None:
    rate = seen.get("rate", 1e-4)
    assert_healthy(rate_reloaded, resumed(**seen), schedule(rate))
    assert_healthy(rate_reloaded, LoopTrace(), schedule(rate))
