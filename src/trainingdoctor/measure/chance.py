"""The loss of predicting nothing but the class frequencies: what a training must fall below before it has learned."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trainingdoctor.errors import UserCodeError
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import user_code


def chance_loss(batches: Sequence[Batch], criterion: Any = None) -> float | None:
    """Entropy of the class frequencies in the batches, in nats; None unless the targets are class indices.

    With a criterion that weights the classes, of the weighted frequencies: the least that a constant prediction costs. With one
    that multiplies the loss, as much larger or smaller.
    """
    targets = [b.targets for b in batches if isinstance(b.targets, Tensor)]
    if not targets or any(t.is_floating_point() or t.ndim != 1 for t in targets):
        return None
    classes, counts = torch.cat(targets).unique(return_counts=True)
    shares = counts.double()
    weight = getattr(criterion, "weight", None)
    if isinstance(weight, Tensor) and weight.ndim == 1 and int(classes.min()) >= 0 and int(classes.max()) < len(weight):
        shares = shares * weight.detach().to(classes.device)[classes].double()
    shares = shares / shares.sum()
    return float(-torch.special.xlogy(shares, shares).sum()) * _multiplied(criterion, torch.cat(targets))


def _multiplied(criterion: Any, targets: Tensor) -> float:
    """By how much a criterion multiplies cross-entropy, seen on undecided predictions; 1 within a factor of 2 and where it takes none."""
    width = int(targets.max()) + 1
    if criterion is None or width < 2:
        return 1.0
    try:
        once, twice = (_undecided(criterion, part, width) for part in (targets, torch.cat([targets, targets])))
    except UserCodeError:
        return 1.0
    # A sum over the batch is another matter: it grows with the batch.
    factor = once / math.log(width) if abs(twice - once) < 0.01 * abs(once) else 1.0
    return factor if factor > 0 and not 0.5 <= factor <= 2 else 1.0


@torch.no_grad()
def _undecided(criterion: Any, targets: Tensor, width: int) -> float:
    """The loss of equal predictions for all classes; NaN where it is no number."""
    with user_code("the criterion"):
        value = criterion(torch.zeros(len(targets), width, device=targets.device), targets)
    return float(value) if isinstance(value, Tensor) and value.numel() == 1 else math.nan
