"""What a model that nobody trains answers in the batches of a training, held against their classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class Answers:
    """right, asked: samples.  classes: how often each was the target.  width: of the answers, 0 where they are no scores."""

    right: int = 0
    asked: int = 0
    width: int = 0
    classes: Counter[int] = field(default_factory=Counter)

    def add(self, scores: Tensor, targets: Tensor) -> None:
        """It has answered, with a number for each class."""
        self.width = scores.shape[1]
        self.right += int((scores.argmax(1).cpu() == targets.cpu()).sum())
        self.asked += len(targets)
        self.classes.update(targets.tolist())

    @property
    def chance(self) -> float:
        """Share of the most frequent class."""
        return max(self.classes.values(), default=0) / max(self.asked, 1)


def are_scores(output: Tensor, targets: Any) -> bool:
    """Whether these are a number for each class of each sample, and the targets class numbers."""
    if (
        not isinstance(targets, Tensor)
        or targets.ndim != 1
        or targets.is_floating_point()
        or targets.dtype is torch.bool
    ):
        return False
    return (
        output.ndim == 2
        and 0 < len(targets) == len(output)
        and 0 <= int(targets.min()) <= int(targets.max()) < output.shape[1]
    )
