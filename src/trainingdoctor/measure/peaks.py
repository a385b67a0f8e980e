"""How much of an attention goes to one position alone."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

# Positions of an attention that are enough to tell whether it looks at one of them only.
LEAST = 16


def peak_of(weights: Tensor, over: int) -> float | None:
    """The largest of the weights that a position gives, the mean over positions that see 16 others or more.

    weights: (samples, ..., positions, positions).  None where they are no attention of positions to each other, or the same in all samples, as
    weights of places are.
    """
    square = weights.ndim >= 3 and weights.shape[-1] == weights.shape[-2] >= LEAST and over == weights.ndim - 1
    if not square or len(weights) < 2 or bool((weights == weights[:1]).all()):
        return None
    seen = (weights > 0).sum(-1) >= LEAST
    return float(weights.amax(-1)[seen].mean()) if bool(seen.any()) else None


@torch.no_grad()
def peak_of_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    """The same for a call of scaled_dot_product_attention, without its mask."""
    query, key = (kwargs.get(name, next(iter(args[i:]), None)) for i, name in enumerate(("query", "key")))
    if (
        not isinstance(query, Tensor)
        or not isinstance(key, Tensor)
        or query.shape != key.shape
        or query.shape[-2] > 1024
    ):
        return None
    scale = kwargs.get("scale") or 1 / math.sqrt(query.shape[-1])
    weights = (query.float() @ key.float().mT * scale).softmax(-1)
    return peak_of(weights, weights.ndim - 1)
