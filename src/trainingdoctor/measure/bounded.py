"""Predictions that stay within -1 and 1 whatever the weights, as cosines do, and how low the loss can go on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.calling import set_mode, user_code
from trainingdoctor.measure.prediction import predicted

# The factor of all weights that shows whether predictions grow with them.
AMPLIFIED = 100.0
# Fewer classes leave a low loss within reach, and hardly anything to be said.
LEAST_CLASSES = 3


@dataclass(frozen=True)
class BoundedOutputs:
    """bound: within which all predictions stay with every parameter 100 times as large; None where they leave -1 and 1.

    classes: predictions of a sample.  lowest: the criterion where the right class has 1 and all others -1.  chance: where all have 0.
    """

    classes: int
    bound: float | None
    lowest: float = 0.0
    chance: float = 0.0


@evidence(cost="probe")
def bounded_outputs(
    model: nn.Module, criterion: Callable[..., Any], train_batches: tuple[Batch, ...], *, samples: int = 16
) -> BoundedOutputs:
    """Predict some samples in training mode, once more with all parameters larger, and call the criterion on the best of cosines.

    Changes the parameters.
    """
    batch = train_batches[0].first(samples)
    targets = batch.targets
    if not isinstance(targets, Tensor) or targets.ndim != 1 or targets.is_floating_point():
        raise Unavailable("the targets are no class numbers")
    set_mode(model, True)
    plain = predicted(model, batch)
    if plain.ndim != 2 or len(plain) != len(targets) or plain.shape[1] < max(LEAST_CLASSES, int(targets.max()) + 1):
        raise Unavailable("the predictions are not one number for each class")
    if not _within(plain) or not bool((plain < 0).any()):
        return BoundedOutputs(plain.shape[1], None)
    with torch.no_grad():
        for parameter in model.parameters():
            # Not in place: a parameter may be an expanded one.
            parameter.data = parameter.data * AMPLIFIED
    amplified = predicted(model, batch)
    if not _within(amplified):
        return BoundedOutputs(plain.shape[1], None)
    wanted = targets.cpu()
    best = 2.0 * functional.one_hot(wanted, plain.shape[1]).float() - 1.0
    lowest, chance = (_value(criterion, logits, wanted) for logits in (best, 0 * best))
    return BoundedOutputs(plain.shape[1], float(amplified.abs().max()), lowest, chance)


def _within(predictions: Tensor) -> bool:
    return bool(predictions.isfinite().all()) and float(predictions.abs().max()) <= 1 + 1e-3


def _value(criterion: Callable[..., Any], predictions: Tensor, targets: Tensor) -> float:
    with user_code("the criterion"), torch.no_grad():
        loss = criterion(predictions, targets)
    if not isinstance(loss, Tensor) or not loss.numel():
        raise Unavailable("the criterion gives no number")
    return float(loss.detach().float().mean())
