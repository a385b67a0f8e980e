"""The highest learning rate of a training whose schedule cannot be simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainingdoctor.errors import Unavailable

if TYPE_CHECKING:
    from trainingdoctor.measure.optimizers import Group
    from trainingdoctor.observing.trace import LoopTrace

# So much more than at the first step is a rate that is being raised.
RAISED = 1.02


def unscheduled_peak(group: Group, built: float, trace: LoopTrace | None) -> float:
    """The rate before a foreign scheduler's warm-up (`initial_lr`), as of timm; in a loop that raises the rate step by step, `built`.

    built: the rate that the optimizer was given when it was made. Raises Unavailable where a rising rate has passed it: nobody knows its end.
    """
    rates = [step.rate for step in trace.steps] if trace is not None else []
    peak = max(group.lr, group.base_lr)
    if not rates or rates[-1] <= RAISED * rates[0]:
        return peak
    if max(peak, built) < rates[-1]:
        raise Unavailable("the loop raises the learning rate step by step, and how far was not seen")
    return max(peak, built)
