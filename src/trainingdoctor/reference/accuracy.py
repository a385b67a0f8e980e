"""How many predictions are right."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import forward, split_batch
from trainingdoctor.measure.prediction import prediction
from trainingdoctor.reference.augmentation import normalized


def right_answers(output: Any, targets: Any) -> int:
    """How many predictions are right; 0 where there are no classes to be right about (mixed or dense targets)."""
    guess = prediction(output).detach()
    if not isinstance(targets, torch.Tensor) or guess.ndim < 2:
        return 0
    classes = targets.argmax(1) if targets.is_floating_point() and targets.shape == guess.shape else targets
    guess = guess.argmax(1).cpu()
    return int((guess == classes.cpu()).sum()) if guess.shape == classes.shape else 0


@torch.no_grad()
def accuracy_of(model: nn.Module, loader: Any) -> float:
    """Accuracy in percent over a loader, in eval mode. Raises Unavailable where the targets are no classes."""
    model.eval()
    right = seen = 0
    for raw in loader:
        batch = split_batch(raw)
        output = prediction(forward(model, batch))
        targets = batch.targets
        if (
            not isinstance(targets, torch.Tensor)
            or targets.is_floating_point()
            or output.ndim != 2
            or targets.ndim != 1
        ):
            raise Unavailable("accuracy is counted for class targets, one of each sample; this is another task")
        right, seen = right + right_answers(output, targets), seen + len(targets)
    if not seen:
        raise Unavailable("val_loader is empty: it gives no batch")
    return 100 * right / seen


@torch.no_grad()
def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    autocast: Callable[[], torch.autocast],
    size: int = 2500,
    view: Callable[[Tensor], Tensor] = normalized,
) -> float:
    """Accuracy in percent on all images, a single view of each, in the mode that the model is in."""
    right = torch.zeros((), device=labels.device)
    for x, y in zip(images.split(size), labels.split(size), strict=True):
        with autocast():
            right += (model(view(x)).argmax(1) == y).sum()
    return 100 * float(right) / len(labels)
