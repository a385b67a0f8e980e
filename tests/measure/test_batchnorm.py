"""BatchNorm layers as they stand on the model."""

import torch
from torch import nn

from trainingdoctor.measure.batchnorm import batchnorm_layers


def test_statistics_from_a_checkpoint_that_does_not_count_are_not_fresh() -> None:
    model = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4))
    state = {
        "running_mean": torch.ones(4),
        "running_var": torch.ones(4),
        "weight": torch.ones(4),
        "bias": torch.zeros(4),
    }
    model[0].load_state_dict(state, strict=False)
    assert [layer.updates for layer in batchnorm_layers(model).layers] == [1, 0]
