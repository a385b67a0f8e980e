"""`schedule_trace`: the learning rate of every epoch or step of a run that has not been made."""

from typing import Any

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.optimizers import several
from trainingdoctor.measure.schedule import ScheduleTrace, trace


def schedule_trace(
    optimizer: Any, scheduler: Any, epochs: int, steps_per_epoch: int | None = None, *, interval: str = "epoch"
) -> ScheduleTrace:
    """Simulate a whole schedule on a copy: the rate in every epoch or step, where it peaks and how it ends.

    Neither the optimizer nor the scheduler is touched, no parameter is copied, and nothing is trained: a run of
    100,000 steps takes about a second.

    Args:
        optimizer: one, or a list of several; the trace is that of the first one's first parameter group.
        scheduler: of torch, home-made (anything with `step()` that can be copied), a list of several, or None for a
            constant rate. It goes on from where it is.
        epochs: passes over the training data.
        steps_per_epoch: optimizer steps in a pass, `len(train_loader)`; needed for `interval="step"`.
        interval: when `scheduler.step()` is called: after each "epoch", or after each "step".

    Returns:
        ScheduleTrace: `rates` (one per call, 400,000 at most), `peak`, `initial`, `final`, `mean_over_peak`,
        `error` and `failed_at` where the scheduler raises on the way, `adaptive` for one that follows a metric
        (ReduceLROnPlateau: its rates are the present one throughout), `plot(path)`.

    Raises:
        ValueError: for epochs below 1, an unknown interval, or "step" without steps_per_epoch.
        Unavailable: for an optimizer without parameter groups.
        UserCodeError: when the scheduler cannot be copied.

    >>> import torch, trainingdoctor
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [80, 120])
    >>> trace = trainingdoctor.schedule_trace(optimizer, scheduler, epochs=160)
    >>> [round(trace.rates[epoch], 6) for epoch in (0, 79, 80, 120)]
    [0.1, 0.1, 0.01, 0.001]
    >>> trace.peak, optimizer.param_groups[0]["lr"]
    (0.1, 0.1)
    """
    if interval not in ("epoch", "step"):
        raise ValueError(f"interval={interval!r}: use 'epoch' or 'step'")
    if epochs < 1 or (steps_per_epoch is not None and steps_per_epoch < 1):
        raise ValueError(f"epochs={epochs} and steps_per_epoch={steps_per_epoch} must be at least 1")
    if interval == "step" and steps_per_epoch is None:
        raise ValueError("a schedule per step needs steps_per_epoch: give len(train_loader)")
    if not all(getattr(o, "param_groups", None) for o in several(optimizer)):
        raise Unavailable("the optimizer has no param_groups that could be read")
    return trace(optimizer, scheduler, epochs, steps_per_epoch, interval)
