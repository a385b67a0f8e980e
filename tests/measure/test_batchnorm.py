"""BatchNorm layers as they stand on the model."""

import pytest
import torch
from torch import Tensor, nn

from trainingdoctor.errors import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.batchnorm import RunningStatistics, batchnorm_layers, running_statistics


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


def used(passes: int) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    for _ in range(passes):
        model(torch.randn(16, 4))
    return model


def test_a_pass_in_which_a_model_learns_its_own_size_does_not_train_it() -> None:
    batches, model = (Batch(torch.randn(16, 4), torch.arange(16) % 3),), used(1)
    with pytest.raises(Unavailable, match="fresh"):
        running_statistics(model, batchnorm_layers(model), batches, None, nn.CrossEntropyLoss())


def test_a_criterion_for_mixed_targets_is_given_no_class_numbers() -> None:
    def mixed(output: Tensor, target: Tensor) -> Tensor:
        return -(output.log_softmax(1) * target).sum() / len(output)

    model, other = used(3), used(3)
    soft = (Batch(torch.randn(16, 4), torch.rand(16, 3)),)
    hard = (Batch(torch.randn(16, 4), torch.arange(16) % 3),)
    found = running_statistics(model, batchnorm_layers(model), soft, hard, mixed)
    assert found.fresh_accuracy is None
    assert (
        running_statistics(other, batchnorm_layers(other), hard, hard, nn.CrossEntropyLoss()).fresh_accuracy is not None
    )


def statistics_of(model: nn.Module) -> RunningStatistics:
    generator = torch.Generator().manual_seed(0)
    batches = (Batch(3 + 2 * torch.randn(64, 4, generator=generator), torch.arange(64) % 2),)
    return running_statistics(model, batchnorm_layers(model), batches, None, nn.CrossEntropyLoss())


def test_trained_weights_that_came_without_their_statistics_are_not_fresh() -> None:
    """As an average of weights, or a checkpoint of the parameters alone; a fresh layer has one scale and one shift."""
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    for value in (1.0, 0.0):
        nn.init.constant_(model[0].weight, value)
        with pytest.raises(Unavailable, match="fresh"):
            statistics_of(model)
    model[0].load_state_dict({"weight": torch.linspace(0.5, 2, 4), "bias": torch.linspace(-1, 1, 4)}, strict=False)
    assert statistics_of(model).drift == pytest.approx(1.5, rel=0.3)
