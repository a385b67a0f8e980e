"""`one_step`: everything that can be read off a single training step."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch, augmented, split_batch
from trainingdoctor.measure.drawing import draw_batches
from trainingdoctor.measure.one_step import OneStep, timed_step
from trainingdoctor.measure.optimizers import several
from trainingdoctor.measure.restore import restored, seed_everything


def one_step(
    model: nn.Module,
    data: Iterable[Any] | Tensor | Mapping[str, Any],
    criterion: Callable[..., torch.Tensor],
    optimizer: Any = None,
    *,
    samples: int | None = None,
    amp: bool | torch.dtype | None = None,
    grad_clip: float | None = None,
    augment_on_device: Callable[..., Any] | None = None,
    seed: int = 0,
) -> OneStep:
    """Make one training step in train() mode and watch it: activations, gradients, updates; then undo it.

    Everything comes back bit for bit as it was (see `restored`).

    Args:
        model: on the device where it is to be measured; the batch is moved there.
        data: a loader, of which the first batch is taken, or one batch: (inputs, ..., targets) as a tuple or list, a
            mapping with a usual target key ("labels", "target", ...), or a tensor of inputs.
        criterion: called as criterion(output, targets), or criterion(output) without targets; gives one number.
        optimizer: one, a list of several, or None: then there are no updates and no time.
        samples: use only the first so many of the batch; default all.
        amp: True for autocast (bfloat16 on the CPU, float16 on a GPU), or the torch.dtype.
        grad_clip: norm that gradients are clipped to before the update; the gradients are given as before that.
        augment_on_device: applied to the inputs (or inputs and targets).
        seed: of the batch that is drawn, of augmentation and dropout.

    Returns:
        OneStep: `loss`; `activations` of every leaf module in the order they ran (shape, mean, standard deviation,
        finite); `parameters` (norm of weight and gradient, update as |change| / |weight|, share of output units
        without gradient); `first_nonfinite`, the module that gave the first NaN or infinity; `seconds` of a second
        step; `plot(path)`.

    Raises:
        Unavailable: for an empty or one-shot loader, a loss of several numbers, LBFGS.
        UserCodeError: when the model, the criterion, the loader or the optimizer raises.

    >>> import torch, trainingdoctor
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> batch = torch.randn(32, 8), torch.arange(32) % 3
    >>> step = trainingdoctor.one_step(model, batch, torch.nn.CrossEntropyLoss(), optimizer)
    >>> [(a.name, a.shape) for a in step.activations]
    [('0', (32, 16)), ('1', (32, 16)), ('2', (32, 3))]
    >>> all(0 < p.update < 1 for p in step.parameters)
    True
    """
    optimizers = () if optimizer is None else several(optimizer)
    with restored(model, criterion, optimizers, data, augment_on_device):
        seed_everything(seed)
        batch = augmented(_batch(data), augment_on_device)
        if samples is not None:
            batch = batch.first(samples)
        return timed_step(model, batch, criterion, optimizers, amp, grad_clip)


def _batch(data: Any) -> Batch:
    """`data` as a batch, or the first batch of it. A list of tuples, lists or mappings is a loader."""
    if isinstance(data, list) and data and all(isinstance(item, tuple | list | Mapping) for item in data):
        return split_batch(data[0])
    if isinstance(data, Tensor | Mapping | tuple | list):
        return split_batch(data)
    return draw_batches(data, "the loader", 1, 1)[0]
