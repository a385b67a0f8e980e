"""Trials in channels-last order, where the model can do with it."""

import torch
from torch import Tensor, nn

from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.channels_last import faster

BATCH = Batch(torch.randn(4, 1, 8, 8), torch.arange(4))


class Viewing(nn.Module):
    """The net of many tutorials: a view after a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Linear(108, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.norm(self.conv(x)).view(-1, 108))
        return out


def is_last(model: nn.Module) -> bool:
    return all(p.is_contiguous(memory_format=torch.channels_last) for p in model.parameters() if p.ndim == 4)


def test_a_view_after_a_convolution_is_left_contiguous() -> None:
    model = Viewing()
    model.norm.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with faster(model, BATCH):
        assert model(BATCH.inputs).shape == (4, 4)
    assert (model.training, model.norm.training) == (True, False)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_other_models_are_made_faster_and_put_back() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(108, 4))
    with faster(model, Batch(torch.randn(4, 2, 8, 8), torch.arange(4))):
        assert is_last(model)
    assert model[0].weight.is_contiguous()
