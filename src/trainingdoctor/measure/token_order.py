"""Whether a model of token sequences can tell in which order the tokens stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainingdoctor.errors import Unavailable
from trainingdoctor.evidence import evidence
from trainingdoctor.measure.affine import stir
from trainingdoctor.measure.batches import Batch, mapped, tensors
from trainingdoctor.measure.calling import set_mode
from trainingdoctor.measure.prediction import predicted

LEAST_LENGTH, LEAST_SAMPLES = 8, 8
# Samples that show whether counts of tokens tell the class; tokens that are told apart; of the kernel's mean diagonal.
LEAST_TOLD, MOST_WORDS, RIDGE = 128, 4096, 0.3
# Functions of torch in which each position looks at the others.
ATTENTION = ("scaled_dot_product_attention", "multi_head_attention_forward", "_transformer_encoder_layer_fwd")
SOFTMAX = "softmax"


@dataclass(frozen=True)
class TokenOrder:
    """compared: samples.  length: positions.  attends: each position looks at the others.

    change: how far a prediction moves when the tokens between the first and the last change places, relative to how far
    samples' predictions are apart.  told: by how many standard errors a linear classifier on the counts of tokens is better than the
    most frequent class, each half of the drawn samples predicted from the other; None where there are few, or no classes.
    """

    compared: int
    length: int
    attends: bool
    change: float
    told: float | None = None


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
    return TokenOrder(len(tokens), tokens.shape[1], watching.attends, moved / apart, _told_by_counts(train_batches))


def _tokens(batch: Batch) -> Tensor:
    """The first input of token numbers, (samples, positions)."""
    tokens = _first_tokens(batch)
    if tokens is None or len(tokens) < LEAST_SAMPLES:
        raise Unavailable("the inputs are no token sequences")
    return tokens


def _first_tokens(batch: Batch) -> Tensor | None:
    for tokens in tensors(batch.inputs):
        is_numbers = tokens.ndim == 2 and not tokens.is_floating_point() and not tokens.is_complex()
        if is_numbers and tokens.shape[1] >= LEAST_LENGTH and int(tokens.max()) > 1 and int(tokens.min()) >= 0:
            return tokens
    return None


def _told_by_counts(batches: tuple[Batch, ...]) -> float | None:
    """How well the class is told by which tokens there are, whatever their order."""
    pairs = [(_first_tokens(b), b.targets) for b in batches]
    known = [(x, y) for x, y in pairs if x is not None and _is_classes(y) and len(y) == len(x)]
    targets = torch.cat([y.cpu() for _, y in known]) if known else torch.zeros(0)
    if len(targets) < LEAST_TOLD:
        return None
    rows = [torch.bincount(row % MOST_WORDS, minlength=MOST_WORDS) for x, _ in known for row in x.cpu().long()]
    counts = torch.stack(rows).float().log1p()
    classes, numbers = targets.unique(return_inverse=True)
    wanted = functional.one_hot(numbers, len(classes)).float()
    right = sum(_right(counts[i::2], wanted[i::2], counts[1 - i :: 2], numbers[1 - i :: 2]) for i in (0, 1))
    chance = float(wanted.mean(0).max())
    return (right / len(targets) - chance) / math.sqrt(max(chance * (1 - chance), 1e-9) / len(targets))


def _right(known: Tensor, wanted: Tensor, asked: Tensor, numbers: Tensor) -> int:
    """Right predictions of ridge regression."""
    center, share = known.mean(0), wanted.mean(0)
    x, z = known - center, asked - center
    kernel = x @ x.T
    ridge = RIDGE * kernel.diagonal().mean() * torch.eye(len(x))
    scores = z @ x.T @ torch.linalg.solve(kernel + ridge, wanted - share) + share
    return int((scores.argmax(1) == numbers).sum())


def _is_classes(targets: Any) -> bool:
    return isinstance(targets, Tensor) and targets.ndim == 1 and not targets.is_floating_point()


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
