"""Whether a model of token sequences can tell in which order the tokens stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.affine import stir
from trainingdoctor.measure.batches import Batch, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import predicted

LEAST_LENGTH, LEAST_SAMPLES = 8, 8
# Functions of torch in which each position looks at the others.
ATTENTION = ("scaled_dot_product_attention", "multi_head_attention_forward", "_transformer_encoder_layer_fwd")
SOFTMAX = "softmax"


@dataclass(frozen=True)
class TokenOrder:
    """compared: samples.  length: positions.  attends: each position looks at the others.

    change: how far a prediction moves when the tokens between the first and the last change places, relative to how far
    samples' predictions are apart.
    """

    compared: int
    length: int
    attends: bool
    change: float


@evidence(cost="probe")
def token_order(model: nn.Module, train_batches: tuple[Batch, ...], *, samples: int = 16) -> TokenOrder:
    """Predict sequences, and the same with the tokens in another order, in evaluation mode.

    Padding stays where it is. Changes weights that are all equal: positions that start at zero would hide what they do.
    """
    batch = train_batches[0].first(samples)
    tokens = _tokens(batch)
    set_mode(model, False)
    with torch.no_grad():
        stir(model)
    watching = _Watching(tokens.shape[1])
    with watching:
        whole = predicted(model, batch)
    if whole.ndim != 2 or len(whole) != len(tokens):
        raise Unavailable("the predictions are not one row for each sequence")
    mixed = _mixed(tokens)
    other = mapped(batch.inputs, lambda t: mixed if t is tokens else t)
    moved = float((predicted(model, Batch(other, batch.targets)) - whole).abs().max())
    apart = float(whole.std(0).max())
    if not apart > 0:
        raise Unavailable("all predictions are the same")
    return TokenOrder(len(tokens), tokens.shape[1], watching.attends, moved / apart)


def _tokens(batch: Batch) -> Tensor:
    """The first input of token numbers, (samples, positions)."""
    for tokens in tensors(batch.inputs):
        is_numbers = tokens.ndim == 2 and not tokens.is_floating_point() and not tokens.is_complex()
        is_large = is_numbers and tokens.shape[0] >= LEAST_SAMPLES and tokens.shape[1] >= LEAST_LENGTH
        if is_large and int(tokens.max()) > 1:
            return tokens
    raise Unavailable("the inputs are no token sequences")


def _mixed(tokens: Tensor) -> Tensor:
    """Each row in another order, but for its first and last token and the padding: the tokens that end it all alike."""
    shuffled, generator = tokens.clone(), torch.Generator().manual_seed(0)
    for row in range(len(tokens)):
        ends = int((tokens[row] == tokens[row, -1]).flip(0).int().cumprod(0).sum())
        last = tokens.shape[1] - max(ends, 1)
        if last > 2:
            places = 1 + torch.randperm(last - 1, generator=generator)
            shuffled[row, 1:last] = tokens[row, places.to(tokens.device)]
    return shuffled


class _Watching(TorchFunctionMode):
    """Sees attention: a function of torch for it, or a softmax over as many values for each of so many positions."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length, self.attends = length, False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        square = name == SOFTMAX and isinstance(args[0], Tensor) and args[0].shape[-2:] == (self.length, self.length)
        self.attends = self.attends or square or name in ATTENTION
        return func(*args, **(kwargs or {}))
