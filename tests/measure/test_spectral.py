"""Estimates of spectral normalization, both of torch's implementations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from trainingdoctor import Unavailable
from trainingdoctor.measure.batches import Batch
from trainingdoctor.measure.spectral import SpectralLayer, spectral_layers

OLD, NEW = nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm
X = torch.randn(8, 20, generator=torch.Generator().manual_seed(0))


def measured(wrap: Callable[..., Any], spoil: Callable[[nn.Sequential], None] = lambda m: None) -> SpectralLayer:
    torch.manual_seed(0)
    model = nn.Sequential(wrap(nn.Linear(20, 40)), nn.ReLU(), nn.Linear(40, 2))
    spoil(model)
    (layer,) = spectral_layers(model, (Batch(X, None),))
    return layer


def stuck_in_eval(model: nn.Sequential) -> None:
    for module in model.modules():
        module.eval()
        module.train = lambda mode=True, module=module: module  # type: ignore[method-assign]


def reinitialized_and_stuck(model: nn.Sequential) -> None:
    for parameter in (p for p in model[0].parameters() if p.ndim == 2):
        nn.init.normal_(parameter)
    stuck_in_eval(model)


@pytest.mark.parametrize("wrap", [OLD, NEW])
def test_a_fresh_layer_is_right_after_some_passes(wrap: Callable[..., Any]) -> None:
    layer = measured(wrap)
    assert layer.updates
    assert 0.95 < layer.trained < 1.2


def test_a_fresh_old_layer_in_eval_mode_is_far_off() -> None:
    layer = measured(OLD, stuck_in_eval)
    assert not layer.updates
    assert layer.trained > 2


def test_a_new_layer_initialized_after_its_estimate_is_far_off() -> None:
    layer = measured(NEW, reinitialized_and_stuck)
    assert not layer.updates
    assert layer.trained > 2


def test_without_spectral_norm_it_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        spectral_layers(nn.Sequential(nn.Linear(20, 2)), (Batch(X, None),))
