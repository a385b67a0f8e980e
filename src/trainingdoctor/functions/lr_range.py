"""`lr_range_test`: which learning rates this training bears."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.lr_range import LrCurve, measure_lr_curve, ramp_rates
from trainingdoctor.measure.optimizers import several
from trainingdoctor.measure.ramp import Ramp

LEAST_STEPS = 10


def lr_range_test(
    model: nn.Module,
    train_loader: Iterable[Any],
    criterion: Callable[..., torch.Tensor],
    optimizer: Any,
    *,
    rate: float | None = None,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    seeds: int = 3,
    accumulate: int = 1,
    amp: bool | torch.dtype | None = None,
    grad_clip: float | None = None,
    augment_on_device: Callable[..., Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> LrCurve:
    """Train some steps at a rate that climbs from `low` to `high`, and read off which rates this training bears.

    The training is the user's own: model in train() mode, batches as `train_loader` gives them, the optimizer with
    its momentum, weight decay and state. Everything comes back bit for bit as it was (see `restored`), after an
    exception or Ctrl-C too. It costs `seeds * (steps + 1) * accumulate` forward and backward passes.

    Args:
        model: on the device where it is to be measured; batches are moved there.
        train_loader: gives (inputs, ..., targets), or mappings with a usual target key ("labels", "target", ...);
            inputs that are a mapping go to the model as keyword arguments. It is iterated anew for every seed and as
            often as needed, so one batch is enough, and an IterableDataset will do; a bare iterator will not.
        criterion: called as criterion(output, targets), or criterion(output) without targets; gives one number.
        optimizer: one, or a list of several that step together. Their parameter groups keep their ratios.
        rate: the rate to place on the curve, of the first parameter group. Default: the optimizer's present one;
            with a schedule give its peak, `schedule_trace(...).peak`.
        low, high: ends of the ramp, for the first parameter group (if its rate is 0, the first with one above 0).
        steps: optimizer steps of the ramp, at least 10.
        seeds: how often the ramp is run, from the same weights with the seeds 0, 1, ... for the order of the batches,
            the augmentation and dropout. A single run can be off by what its batches happen to be.
        accumulate: batches per step whose gradients are averaged.
        amp: True for autocast (bfloat16 on the CPU, float16 with a loss scaler on a GPU), or the torch.dtype.
        grad_clip: norm that the gradients of all parameters are clipped to.
        augment_on_device: applied to a batch of inputs (or inputs and targets) as it comes from the loader.
        progress: called after every step with the steps done and the most there may be.

    Returns:
        LrCurve: `stable` (the interval), `edge`, `edges` (per seed), `steepest`, `suggested`, `place` of the user's
        rate, `plot(path)`, and the curves. `stable` is None, and `why_not` says why, where nothing is learned at any
        rate. A run ends early when its loss is not finite or has climbed to five times where it started.

    Raises:
        ValueError: for ends, steps, seeds or accumulation that are not possible.
        Unavailable: for an optimizer without a rate, LBFGS, an empty or one-shot loader, a loss of several numbers.
        UserCodeError: when the model, the criterion, the loader or the optimizer raises.

    The ramp is exponential, and its reading follows Smith 2017, Cyclical Learning Rates (arXiv:1506.01186, section
    3.3); `LrCurve.stable` defines the interval and `LrCurve.suggested` the suggestion.

    >>> import torch, trainingdoctor
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(512, 8)
    >>> loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=32, shuffle=True)
    >>> model = torch.nn.Linear(8, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=5.0, momentum=0.9)
    >>> curve = trainingdoctor.lr_range_test(model, loader, torch.nn.MSELoss(), optimizer)
    >>> low, edge = curve.stable
    >>> low < 0.01 < edge < 1
    True
    >>> curve.place
    'above'
    """
    _require(low, high, steps, seeds, accumulate)
    optimizers = several(optimizer)
    if not optimizers or not all(hasattr(o, "param_groups") for o in optimizers):
        raise Unavailable("the optimizer has no param_groups: there is no learning rate to ramp")
    ramp = Ramp(model, criterion, optimizers, train_loader, augment_on_device, accumulate, amp, grad_clip)
    return measure_lr_curve(ramp, ramp_rates(low, high, steps), seeds, rate, progress or (lambda *_: None))


def _require(low: float, high: float, steps: int, seeds: int, accumulate: int) -> None:
    if not 0 < low < high < float("inf"):
        raise ValueError(f"a ramp needs 0 < low < high, not low={low:g} and high={high:g}")
    if steps < LEAST_STEPS:
        raise ValueError(f"steps={steps}: a ramp of fewer than {LEAST_STEPS} steps shows nothing")
    if seeds < 1 or accumulate < 1:
        raise ValueError(f"seeds={seeds} and accumulate={accumulate} must be at least 1")
