"""What a model predicts, and what the criterion says of it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainingdoctor.errors import Reason, Unavailable, UserCodeError
from trainingdoctor.measure.batches import Batch, forward, moved, tensors
from trainingdoctor.measure.calling import user_code

OUTPUT_KEYS = ("logits", "out", "output", "outputs", "pred", "preds", "predictions", "scores")


@torch.no_grad()
def predicted(model: nn.Module, batch: Batch) -> Tensor:
    """The model's prediction as numbers to look at: float32, on the CPU, without a graph."""
    return prediction(forward(model, batch)).detach().float().cpu()


def prediction(output: Any) -> Tensor:
    """The tensor of an output that holds the prediction: itself, the first of a tuple, or `logits` of a mapping.

    Raises Unavailable where there is none.
    """
    if isinstance(output, Tensor):
        return _dense(output)
    if isinstance(output, Mapping):
        key = next((k for k in OUTPUT_KEYS if k in output), None)
        found = [output[key]] if key else [v for v in output.values() if isinstance(v, Tensor) and v.ndim >= 2]
    elif isinstance(output, list | tuple):
        found = [item for item in output if isinstance(item, Tensor)]
    else:
        found = [getattr(output, k) for k in OUTPUT_KEYS if isinstance(getattr(output, k, None), Tensor)]
    if not found:
        said = f"the model returns a {type(output).__name__} in which no prediction tensor can be told"
        raise Unavailable(said, Reason.FAILED)
    return _dense(cast(Tensor, found[0]))


def _dense(prediction: Tensor) -> Tensor:
    """A prediction with a number for each sample at least. Raises Unavailable for another one."""
    what = None
    if prediction.is_nested or prediction.layout is not torch.strided:
        what = "a nested tensor" if prediction.is_nested else "a sparse tensor"
    elif not prediction.numel() or not prediction.ndim:
        what = "a single number for the whole batch" if prediction.numel() else "an empty tensor"
    if what is not None:
        raise Unavailable(f"the model returns {what}: no sample's prediction can be told", Reason.FAILED)
    return prediction


def loss_of(criterion: Callable[..., Any], output: Any, batch: Batch) -> Tensor:
    """The criterion on an output: PyTorch's losses get the prediction tensor, a user's function the raw output.

    Raises UserCodeError when the criterion raises; NaN where it does so because the output is not finite, as
    binary_cross_entropy does: it is the output that went wrong.
    """
    raw_is_tensor = isinstance(output, Tensor)
    targets = moved(batch.targets, next(tensors(output), torch.zeros(())).device)
    if not raw_is_tensor and _tensor_only(criterion):
        output = prediction(output)
    try:
        with user_code("the criterion"):
            loss = criterion(output) if targets is None else criterion(output, targets)
    except UserCodeError:
        if all(t.is_nested or t.layout is not torch.strided or bool(t.isfinite().all()) for t in tensors(output)):
            raise
        return sum((t.sum() for t in tensors(output) if t.is_floating_point()), torch.zeros(())) * math.nan
    if loss is None or isinstance(loss, str | int | float):
        named = "None" if loss is None else f"a {type(loss).__name__}"
        said = f"the criterion returned {named}, not a tensor: nothing can be descended"
        raise UserCodeError("the criterion", said=said)
    if not isinstance(loss, Tensor) or not loss.numel():
        what = "an empty tensor" if isinstance(loss, Tensor) else f"a {type(loss).__name__}, not a tensor"
        raise Unavailable(f"the criterion returns {what}", Reason.FAILED)
    return loss


def _tensor_only(criterion: Callable[..., Any]) -> bool:
    """PyTorch's own losses take tensors; a user's function gets what the model returned."""
    module = type(criterion).__module__ if isinstance(criterion, nn.Module) else getattr(criterion, "__module__", "")
    return str(module).startswith("torch.")
