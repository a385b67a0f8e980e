"""Models of one output for two classes: what an accuracy may count in them, rightly and wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from trainingdoctor.observing.calls import CriterionCall

# The first two are right, each for its kind of output; what counts in each is a column of `counts`.
READINGS = (
    "outputs over 0",
    "outputs over a half",
    "the largest of one output, which is always class 0,",
    "each prediction over 0 against every target of the batch",
    "each prediction over a half against every target of the batch",
)
LOGITS = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
PROBABILITIES = ("BCELoss", "binary_cross_entropy")


def is_single(outputs: Tensor, targets: Any) -> bool:
    """Whether this is one number for each sample, and a target of 0 or 1."""
    if outputs.ndim not in (1, 2) or outputs.shape[1:] not in ((), (1,)) or not isinstance(targets, Tensor):
        return False
    fits = targets.shape[:1] == outputs.shape[:1] and targets.numel() == len(outputs)
    return fits and bool(((targets == 0) | (targets == 1)).all())


def counts(outputs: Tensor, targets: Tensor) -> Tensor:
    """What each of READINGS counts in a batch."""
    values, truth = outputs.detach().flatten(), targets.to(outputs.device).flatten() > 0
    over = [values > 0, values > 0.5]
    pairs = [p.sum() * truth.sum() + (~p).sum() * (~truth).sum() for p in over]
    return torch.stack([*((p == truth).sum() for p in over), (~truth).sum(), *pairs])


def right_reading(call: CriterionCall | None) -> int | None:
    """The one of READINGS that fits what the loss takes the outputs for; None where it does not tell."""
    if call is None or call.part:
        return None
    name = getattr(call.function, "__name__", type(call.function).__name__)
    squashed = call.between == "sigmoid"
    if name in (LOGITS if not squashed else PROBABILITIES):
        return 0
    return 1 if name in PROBABILITIES else None
