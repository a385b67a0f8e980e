"""Further faults of models and loaders. They come after all others, so that those keep their bases and pairs."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from fault import Fault, change, fault, model_step, modules
from faults_model import SEEN, new_head, same
from faults_recipe import slow_body
from images import arrays
from parts import Parts
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import WeightedRandomSampler


def sampled_by_class(parts: Parts) -> Parts:
    """WeightedRandomSampler gets the weights of the ten classes."""
    labels = torch.from_numpy(arrays(True)[1])
    sampler = WeightedRandomSampler((1 / torch.bincount(labels).double()).tolist(), len(labels))
    return parts.but(data={"loader": {"sampler": sampler}})


def monte_carlo(model: nn.Module) -> None:
    """eval() that turns dropout on again, left from an estimate of uncertainty."""

    def train(self: Any, mode: bool = True) -> Any:
        type(self).train(self, mode)
        for module in modules(self, nn.Dropout):
            module.train()
        return self

    model.train = MethodType(train, model)


def stem_kept_in_eval(model: nn.Module) -> None:
    """train() that keeps the first layers in eval mode, and loses its argument on the way."""

    def train(self: Any, mode: bool = True) -> Any:
        type(self).train(self)
        next(self.children()).eval()
        return self

    model.train = MethodType(train, model)


def divergence(predictions: Tensor, targets: Tensor) -> Tensor:
    """kl_div of a softmax, against smoothed labels."""
    soft = 0.9 * F.one_hot(targets, 10) + 0.01
    return F.kl_div(F.softmax(predictions, dim=1), soft, reduction="batchmean")


def groups_of_one(head: nn.Linear) -> nn.Module:
    return nn.GroupNorm(head.in_features, head.in_features)


class Cosines(nn.Module):
    """Between features and a center of each class, without a scale."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.randn(classes, features))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) @ F.normalize(self.centers, dim=1).T


# Aligned in one line each, as a table is read.
FAULTS: tuple[Fault, ...] = (
    fault("one sampler weight per class", "loader.few_samples", sampled_by_class, consequences=("labels.*", "data.*", *SEEN)),
    fault("dropout left on for Monte Carlo", "dropout.in_eval", model_step(monte_carlo), "dropout"),
    fault("train() loses its mode", "dropout.in_eval", model_step(stem_kept_in_eval), "dropout", strength="subtle"),
    fault("divergence of a softmax", "loss.divergence_of_probabilities", change(criterion=divergence), consequences=SEEN),
    fault("groups of one channel before the head", "model.normalizes_one_value", model_step(new_head(groups_of_one, same)), consequences=("model.*", *SEEN)),
    fault("body at a fine-tuning rate", "lr.group_too_low", change(optimizer=slow_body), "bn sgd", without="per-step", consequences=("lr.*", "decay.too_weak", "recipe.*")),
    fault("cosines without a scale", "loss.bounded_logits", model_step(new_head(lambda h: Cosines(h.in_features, h.out_features))), consequences=(*SEEN, "model.*")),
    fault("one unit before the head", "model.capacity", model_step(new_head(lambda h: nn.Linear(h.in_features, 1), lambda h: nn.Linear(1, 10))), consequences=SEEN),
)  # fmt: skip
