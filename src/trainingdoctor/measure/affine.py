"""Whether a model is an affine function of its input, seen by adding inputs up."""

import math

import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch, forward
from trainingdoctor.measure.prediction import prediction


@torch.no_grad()
def deviation_from_affine(model: nn.Module, batch: Batch) -> float | None:
    """|f(a) + f(b) - f(a + b) - f(0)| over the spread of f(a) - f(0), in eval mode.

    Rounding for an affine model, and about 1 for one with ReLUs. None where inputs are not one tensor of numbers, or
    the outputs say nothing. Changes the parameters: branches that start at zero (LayerScale, zero gamma) would hide
    what they do.
    """
    x, half = batch.inputs, batch.size // 2
    if not isinstance(x, Tensor) or not x.is_floating_point() or not half:
        return None
    stir(model)
    a, b = x[:half], x[half : 2 * half]
    of_a, of_b, of_sum, of_zero = (_double(model, v) for v in (a, b, a + b, torch.zeros_like(a)))
    scale = float((of_a - of_zero).square().mean().sqrt())
    error = float((of_a + of_b - of_sum - of_zero).square().mean().sqrt())
    return error / scale if scale > 0 and math.isfinite(error) and math.isfinite(scale) else None


def _double(model: nn.Module, x: Tensor) -> Tensor:
    return prediction(forward(model, Batch(x, None))).double()


def stir(model: nn.Module) -> None:
    """Give every scale, shift and constant weight some noise, so that no branch is silent."""
    for parameter in model.parameters():
        constant = parameter.numel() > 0 and bool((parameter == parameter.flatten()[0]).all())
        if parameter.is_floating_point() and constant:
            fan_in = math.prod(parameter.shape[1:]) if parameter.ndim > 1 else 10
            parameter.add_(torch.randn_like(parameter) / math.sqrt(fan_in))
