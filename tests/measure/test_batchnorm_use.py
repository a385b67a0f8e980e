"""Calls and variances of BatchNorm layers in small real models."""

import torch
from torch import nn
from torch.nn import functional as F

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.batchnorm import batchnorm_layers
from trainingdoctor.measure.batchnorm_use import BatchNormUse, batchnorm_use

IMAGES = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def uses(model: nn.Module, inputs: torch.Tensor = IMAGES) -> tuple[BatchNormUse, ...]:
    return batchnorm_use(model, (Batch(inputs, None),), batchnorm_layers(model))


class TwoPlaces(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm, self.head = (
            nn.Conv2d(3, 4, 3),
            nn.Conv2d(4, 4, 3),
            nn.BatchNorm2d(4),
            nn.Linear(4, 2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.a(x)))
        return self.head(F.relu(self.norm(self.b(x))).mean((2, 3)))


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.body(x), self.body(x.flip(3))], 1))


def test_one_module_in_two_places() -> None:
    (use,) = uses(TwoPlaces())
    assert (use.calls, use.feeders, use.followers) == (2, ("a", "b"), ("b", "head"))


def test_a_branch_used_twice_has_one_feeder() -> None:
    (use,) = uses(Siamese())
    assert (use.calls, use.feeders) == (2, ("body.0",))


def test_variances_against_eps() -> None:
    norms = [nn.BatchNorm2d(3), nn.BatchNorm2d(3, eps=100.0)]
    usual, large = uses(nn.Sequential(*norms))
    assert (usual.small, large.small) == (0.0, 1.0)
    assert 0.5 < usual.variance < 2


def test_constant_channels_do_not_count_as_small() -> None:
    images = IMAGES.clone()
    images[:, 0] = 0.3
    (use,) = uses(nn.Sequential(nn.BatchNorm2d(3)), images)
    assert use.live < 1
    assert use.small == 0.0


def test_layers_that_stay_in_eval_mode_are_left_out() -> None:
    class Stuck(nn.BatchNorm2d):
        def train(self, mode: bool = True) -> "Stuck":
            return super().train(False)

    assert uses(nn.Sequential(Stuck(3), nn.Conv2d(3, 2, 1))) == ()
